// The log of calls: those that match a filter, the newest first, and what each led to.
import { useMemo, useState } from "preact/hooks";
import type { RecordedCall } from "../../../gen/flyteapps_control/v1/control_pb";
import { CallsStore, MAX_CALLS } from "../../api/calls_store";
import { control } from "../../api/clients";
import { milliseconds } from "../../api/rows";
import { ErrorText, Result, TextField, reason, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import { moment } from "../../durations";
import { selectorOf } from "../../selectors";
import { CallDetails } from "./call_details";
import { AppField, AppLink, CODES, RPCS, Rows, useText } from "./parts";

const CALLS_MS = 1_000;
/** Which filter a refusal is about. */
const PATTERNS: readonly (readonly [string, RegExp])[] = [
  ["rpc", /no RPC is called|\.rpc\b/],
  ["code", /code of an error|\.code\b/],
  ["app", /\.app\b|Apps are selected/],
];

/** The log of calls. */
export function CallsTab() {
  const [rpc, setRpc] = useText();
  const [app, setApp] = useText();
  const [code, setCode] = useText();
  const [open, setOpen] = useState<bigint | undefined>(undefined);
  const key = JSON.stringify([rpc.trim(), app.trim(), code.trim()]);
  const store = useMemo(
    () =>
      new CallsStore((news, signal) => {
        const selector = selectorOf(app);
        const select = { rpc: rpc.trim(), code: code.trim().toUpperCase(), ...(selector && { app: selector }) };
        return control.listCalls({ select, ...news }, { signal });
      }),
    [key],
  );
  const { value, again } = usePoll(
    async (signal) => {
      try {
        return { key, calls: await store.read(signal), problem: "" };
      } catch (error) {
        if (signal.aborted) throw error;
        return { key, calls: store.calls, problem: reason(error) };
      }
    },
    CALLS_MS,
    key,
  );
  const action = useAction();
  const clear = (): void =>
    action.run(async () => {
      const { cleared } = await control.clearCalls({});
      again();
      return `${cleared.toLocaleString("en")} call(s) are forgotten.`;
    });
  const problem = value?.problem ?? "";
  const field = PATTERNS.find(([, pattern]) => pattern.test(problem))?.[0] ?? "";
  const refusal = { ...action, error: (name = "") => (name === field ? problem : "") };
  const current = value?.key === key;
  const calls = current ? value.calls : [];
  return (
    <>
      <form class="form" role="search" onSubmit={(event) => event.preventDefault()}>
        <TextField label="RPC" placeholder="all" options={RPCS} value={rpc} change={setRpc} error={refusal.error("rpc")} />
        <AppField value={app} change={setApp} action={refusal} />
        <TextField label="Code" placeholder="all" options={["OK", ...CODES]} value={code} change={setCode} error={refusal.error("code")} />
      </form>
      <h2 class="hidden">Recorded calls</h2>
      <ErrorText text={refusal.error()} />
      {problem === "" && (
        <Rows
          label="Recorded calls"
          heads={["#", "At (UTC)", "RPC", "App", "Caller", "Protocol", "Code", ""]}
          empty="No recorded call matches."
          error=""
          loaded={current}
          count={calls.length}
        >
          {calls.map((each) => (
            <CallRow
              key={each.number.toString()}
              call={each}
              open={open === each.number}
              toggle={() => setOpen(open === each.number ? undefined : each.number)}
            />
          ))}
        </Rows>
      )}
      {store.forgotten > 0n && <p class="quiet">{store.forgotten.toLocaleString("en")} older calls are forgotten.</p>}
      {calls.length >= MAX_CALLS && <p class="quiet">The newest {MAX_CALLS} are shown.</p>}
      {calls.length > 0 && (
        <p>
          <button type="button" onClick={clear}>
            Forget all calls
          </button>
        </p>
      )}
      <Result action={action} />
    </>
  );
}

interface CallRowProps {
  call: RecordedCall;
  open: boolean;
  toggle: () => void;
}

function CallRow({ call, open, toggle }: CallRowProps) {
  const failed = call.code !== "" && call.code !== "OK";
  return (
    <>
      <tr>
        <td>{call.number.toString()}</td>
        <td>{moment(milliseconds(call.time))}</td>
        <td>
          <Text value={call.rpc.split(".").at(-1) ?? call.rpc} />
        </td>
        <td>
          <AppLink app={call.app} />
        </td>
        <td>
          <Text value={call.caller} most={60} />
        </td>
        <td>{call.protocol}</td>
        <td class={failed ? "failed" : ""}>
          {call.code || "open"}
          {call.faults.length > 0 && <span class="quiet"> by {call.faults.join(", ")}</span>}
        </td>
        <td>
          <button type="button" aria-expanded={open} onClick={toggle} aria-label={`${open ? "Less" : "More"} about call ${call.number}`}>
            {open ? "Less" : "More"}
          </button>
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={8} class="details">
            <CallDetails call={call} />
          </td>
        </tr>
      )}
    </>
  );
}
