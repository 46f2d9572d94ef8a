// The state of the connection to the plane, as pages show it.
import { Code } from "@connectrpc/connect";

export type Connection =
  | { state: "connecting" }
  /** What changes arrives at once. */
  | { state: "live" }
  /** What changes is asked for again and again, after so many milliseconds. */
  | { state: "polling"; milliseconds: number }
  /** Nothing can change: there is nothing to follow. */
  | { state: "idle" }
  /** The page is hidden. */
  | { state: "paused" }
  | { state: "lost"; message: string; retryMs: number }
  /** The plane wants other credentials. */
  | { state: "refused"; message: string; login: boolean };

/** Return the state after a call has failed. */
export function afterFailure(code: Code, message: string, retryMs: number): Connection {
  if (code === Code.Unauthenticated) return { state: "refused", message, login: true };
  if (code === Code.PermissionDenied) return { state: "refused", message, login: false };
  return { state: "lost", message, retryMs };
}
