// The buttons that start, stop, restart and delete the app.
import { useEffect, useRef, useState } from "preact/hooks";
import { Spec_DesiredState as DesiredState, type App } from "../../../gen/flyteidl2/app/app_definition_pb";
import { act, type Action } from "../../api/app_source";
import type { AppStore } from "../../api/app_store";
import { explain } from "../../api/clients";
import { Text } from "../../components/text";
import type { AppName } from "../../router";

const DOING: Readonly<Record<Action, string>> = { start: "Starting…", stop: "Stopping…", restart: "Restarting…", delete: "Deleting…" };
const TITLES: Readonly<Record<Action, string>> = { start: "Start", stop: "Stop", restart: "Restart", delete: "Delete" };

/** The actions of an app that is there. */
export function Actions({ name, app, store }: { name: AppName; app: App; store: AppStore }) {
  const [doing, setDoing] = useState<Action>();
  const [asks, setAsks] = useState(false);
  const [refused, setRefused] = useState<{ action: Action; message: string }>();
  const stopped = app.spec?.desiredState === DesiredState.STOPPED;
  const run = async (action: Action): Promise<void> => {
    setAsks(false);
    setRefused(undefined);
    setDoing(action);
    try {
      await act(action, name);
      // On the realtime clock the step that a write leads to waits for a client that watches since then: this page is the one.
      store.renew();
    } catch (error) {
      setRefused({ action, message: explain(error) });
    }
    setDoing(undefined);
  };
  const button = (action: Action, allowed: boolean) => (
    <button type="button" disabled={!allowed || doing !== undefined} onClick={() => (action === "delete" ? setAsks(true) : void run(action))}>
      {doing === action ? DOING[action] : TITLES[action]}
    </button>
  );
  return (
    <div class="actions">
      <div class="row" role="group" aria-label="Actions">
        {button("start", stopped)}
        {button("stop", !stopped)}
        {button("restart", !stopped)}
        {button("delete", true)}
      </div>
      {asks && <Confirmation name={name.name} confirm={() => void run("delete")} cancel={() => setAsks(false)} />}
      {refused !== undefined && (
        <p class="refusal" role="alert">
          {TITLES[refused.action]} was refused: <Text value={refused.message} most={1_000} />
        </p>
      )}
    </div>
  );
}

function Confirmation({ name, confirm, cancel }: { name: string; confirm: () => void; cancel: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <div class="confirmation" role="alertdialog" aria-labelledby="confirmation" onKeyDown={(event) => event.key === "Escape" && cancel()}>
      <p id="confirmation">
        Delete <Text value={name} most={100} />? It can't be undone.
      </p>
      <div class="row">
        <button type="button" ref={button} onClick={cancel}>
          Keep it
        </button>
        <button type="button" class="danger" onClick={confirm}>
          Delete it
        </button>
      </div>
    </div>
  );
}
