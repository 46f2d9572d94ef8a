// The recorded calls that name an app, asked for again after it changes.
import { Code, ConnectError } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import type { RecordedCall } from "../../../gen/flyteapps_control/v1/control_pb";
import { appsIn, callsOf } from "../../api/app_source";
import type { AppStore } from "../../api/app_store";
import { explain } from "../../api/clients";
import { server } from "../../api/server";
import { sleep } from "../../api/source";
import type { AppName } from "../../router";

export type Calls =
  | { state: "loading" }
  | { state: "there"; calls: RecordedCall[] }
  /** The plane records none. */
  | { state: "off" }
  /** The server has no control API. */
  | { state: "none" }
  | { state: "refused"; message: string };

/** The time in which changes lead to one request. */
const PAUSE_MS = 700;

/** Return the calls, and a function that asks again. */
export function useCalls(name: AppName, store: AppStore): [Calls, () => void] {
  const [calls, setCalls] = useState<Calls>({ state: "loading" });
  const [asked, setAsked] = useState(0);
  /** Whether the server is known to record calls. */
  const described = useRef(false);
  const live = store.isCurrent;
  const changes = calls.state === "there" || calls.state === "refused" ? store.changes : 0;
  useEffect(() => {
    if (!live) {
      described.current = false; // the server that comes back may be another one
      return;
    }
    const ended = new AbortController();
    const read = async (): Promise<void> => {
      await sleep(PAUSE_MS, ended.signal);
      if (!described.current) {
        const { control, call_log } = await server(ended.signal);
        if (control === false) return setCalls({ state: "none" });
        if (call_log === 0) return setCalls({ state: "off" });
        described.current = true;
      }
      const found = await callsOf(name, ended.signal);
      for (const app of found.flatMap(appsIn)) {
        if (app.spec !== undefined) store.addLogged(app.metadata?.revision ?? 0n, app.spec);
      }
      setCalls({ state: "there", calls: found });
    };
    read().catch((error: unknown) => {
      if (ended.signal.aborted) return;
      const { code } = ConnectError.from(error);
      if (code === Code.FailedPrecondition) setCalls({ state: "off" });
      else if (code === Code.Unimplemented || code === Code.NotFound) setCalls({ state: "none" });
      else setCalls({ state: "refused", message: explain(error) });
    });
    return () => ended.abort();
  }, [name.project, name.domain, name.name, store, live, changes, asked]);
  return [calls, () => setAsked((count) => count + 1)];
}
