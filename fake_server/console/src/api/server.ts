// The server's description of itself.
import { network } from "./pace";

export interface Server {
  org: string;
  /** standard, or flyte-oss. */
  dialect: string;
  version: string;
  /** realtime, auto or manual. */
  clock: string;
  data_plane: string;
  services: string[];
  /** Whether the control API is served. */
  control?: boolean;
  /** The number of calls that the log of calls keeps; 0 where it is off. */
  call_log?: number;
  /** The header of credentials, and the provider that issues them if not the plane; null where no caller needs any. */
  authentication?: { header: string; provider: string | null } | null;
}

/** Return the description of the server, which may be another one after a restart. */
export async function server(signal?: AbortSignal): Promise<Server> {
  const begun = performance.now();
  const answer = await fetch("/healthz", { signal: signal ?? null });
  network.answered(performance.now() - begun);
  return (await answer.json()) as Server;
}
