// The calls that named the app, with what they led to; and a test that repeats them.
import { useState } from "preact/hooks";
import type { Cause, Effect, RecordedCall } from "../../../gen/flyteapps_control/v1/control_pb";
import { MAX_CALLS, testOf } from "../../api/app_source";
import { explain } from "../../api/clients";
import { milliseconds } from "../../api/rows";
import { Copy } from "../../components/copy";
import { Text } from "../../components/text";
import { instant } from "../../format";
import type { AppName } from "../../router";
import type { Calls } from "./use_calls";

const READS = /\/(Get|List|Watch|TailLogs|Lease)$/;
const MAX_EFFECTS = 20;

interface CallsProps {
  name: AppName;
  calls: Calls;
  again: () => void;
}

/** The part of the page about calls. */
export function CallsPart({ name, calls, again }: CallsProps) {
  return (
    <section class="part" aria-labelledby="calls">
      <h2 id="calls">Calls</h2>
      <Content name={name} calls={calls} again={again} />
    </section>
  );
}

function Content({ name, calls, again }: CallsProps) {
  const [reads, setReads] = useState(false);
  switch (calls.state) {
    case "loading":
      return <p>Loading…</p>;
    case "off":
      return (
        <p>
          The log of calls is off. <code>flyteapps serve --call-log-size 1000</code> turns it on: then the calls that touched the app,
          what they led to, and a test that repeats them are here.
        </p>
      );
    case "none":
      return <p>This server has no control API, hence no log of calls.</p>;
    case "refused":
      return (
        <p>
          The log of calls can't be read: <Text value={calls.message} />
        </p>
      );
    case "there": {
      const kept = calls.calls.filter((each) => reads || !READS.test(each.rpc) || each.faults.length > 0).reverse();
      return (
        <>
          <div class="row">
            <label>
              <input type="checkbox" checked={reads} onChange={(event) => setReads(event.currentTarget.checked)} /> Reads, too: Get, Watch,
              TailLogs
            </label>
            <button type="button" class="small" onClick={again}>
              Refresh
            </button>
          </div>
          {kept.length === 0 ? <p>None was recorded yet.</p> : <CallTable calls={kept} />}
          {calls.calls.length === MAX_CALLS && <p class="hint">The newest {MAX_CALLS} calls that name the app.</p>}
          {calls.calls.length > 0 && <WrittenTest name={name} />}
        </>
      );
    }
  }
}

function CallTable({ calls }: { calls: RecordedCall[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of calls">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">No.</th>
            <th scope="col">Time (UTC)</th>
            <th scope="col">Call</th>
            <th scope="col">Caller</th>
            <th scope="col">Answer</th>
            <th scope="col">What it led to</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={String(call.number)}>
              <td class="number">{String(call.number)}</td>
              <td class="number">{instant(milliseconds(call.time))}</td>
              <td>
                <Text value={call.rpc.replace(/^.*[./](?=[^/]*\/)/, "")} most={100} />
              </td>
              <td>
                <Text value={[call.caller, call.protocol].filter(Boolean).join(", ")} most={60} />
              </td>
              <td class="message">
                <Text value={call.code || "open"} most={40} />
                {call.message !== "" && (
                  <>
                    : <Text value={call.message} />
                  </>
                )}
                {call.faults.length > 0 && (
                  <>
                    {" "}
                    (fault <Text value={call.faults.join(", ")} most={100} />)
                  </>
                )}
              </td>
              <td class="message">
                <Effects call={call} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Effects({ call }: { call: RecordedCall }) {
  const changes = call.effects.filter((each) => each.stream === 0n);
  const messages = call.effects.length - changes.length;
  const causes = call.causes.filter((each) => causeText(each) !== "");
  if (changes.length === 0 && messages === 0 && causes.length === 0) return null;
  return (
    <ul class="bare">
      {changes.slice(0, MAX_EFFECTS).map((each, at) => (
        <li key={at}>{effectLine(each)}</li>
      ))}
      {changes.length > MAX_EFFECTS && <li>further changes: {changes.length - MAX_EFFECTS}</li>}
      {messages > 0 && <li>{messages === 1 ? "a message of a stream" : `${messages} messages of streams`}</li>}
      {causes.slice(-MAX_EFFECTS).map((each, at) => (
        <li key={`c${at}`}>
          a message, <Text value={causeText(each)} />
        </li>
      ))}
    </ul>
  );
}

function effectLine(effect: Effect) {
  const cause = effect.cause !== undefined ? causeText({ ...effect.cause, call: 0n }) : "";
  return (
    <>
      <span class="number">{instant(milliseconds(effect.time)).slice(11)}</span> <Text value={effect.change} most={60} />
      {cause !== "" && (
        <>
          {", "}
          <Text value={cause} />
        </>
      )}
    </>
  );
}

/** Return why something happened; "" where nothing is known of it. */
function causeText(cause: Pick<Cause, "call" | "timer" | "fault" | "other">): string {
  const parts: string[] = [];
  if (cause.call !== 0n) parts.push(`because of call ${cause.call}`);
  if (cause.timer !== "") parts.push(`as ${cause.timer}`);
  if (cause.fault !== "") parts.push(`by fault ${cause.fault}`);
  if (cause.other !== "") parts.push(cause.other);
  return parts.join(", ");
}

function WrittenTest({ name }: { name: AppName }) {
  const [source, setSource] = useState("");
  const [refused, setRefused] = useState("");
  const write = async (): Promise<void> => {
    setRefused("");
    try {
      setSource(await testOf(name));
    } catch (error) {
      setSource("");
      setRefused(explain(error));
    }
  };
  return (
    <>
      <p class="row">
        <button type="button" onClick={() => void write()}>
          Write a test that repeats them
        </button>
        {source !== "" && <Copy text={source} label="Copy as pytest" of="the test" />}
      </p>
      {refused !== "" && (
        <p role="alert">
          No test can be written: <Text value={refused} />
        </p>
      )}
      {source !== "" && (
        <pre class="code" tabIndex={0}>
          <bdi>{source.length > 100_000 ? `${source.slice(0, 100_000)}\n… (the copy has all ${source.length.toLocaleString("en")} characters)` : source}</bdi>
        </pre>
      )}
    </>
  );
}
