// A recorded call: its message, what it led to, its request.
import { createRegistry, toJson } from "@bufbuild/protobuf";
import { anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import type { Cause, RecordedCall } from "../../../gen/flyteapps_control/v1/control_pb";
import { file_flyteidl2_app_app_logs_payload } from "../../../gen/flyteidl2/app/app_logs_payload_pb";
import { file_flyteidl2_app_app_payload } from "../../../gen/flyteidl2/app/app_payload_pb";
import { milliseconds } from "../../api/rows";
import { Text } from "../../components/text";
import { moment } from "../../durations";
import { shown } from "../../format";
import { AppLink } from "./parts";

const MAX_LINES = 400;
const REGISTRY = createRegistry(file_flyteidl2_app_app_payload, file_flyteidl2_app_app_logs_payload);

/** Return a message as JSON in lines; by its type alone where that isn't known here. */
function linesOf(packed: Any): string[] {
  const name = packed.typeUrl.split("/").at(-1) ?? "";
  try {
    const message = anyUnpack(packed, REGISTRY);
    const schema = REGISTRY.getMessage(name);
    if (message !== undefined && schema !== undefined) {
      return JSON.stringify(toJson(schema, message, { registry: REGISTRY }), null, 2).split("\n");
    }
  } catch {
    // a message of another version
  }
  return [`${name}, ${packed.value.length.toLocaleString("en")} bytes`];
}

/** The origin of a change in words. */
function causeText(cause: Cause | undefined): string {
  if (cause === undefined) return "";
  const parts: string[] = [];
  if (cause.timer !== "") parts.push(`by the timer: ${cause.timer}`);
  if (cause.fault !== "") parts.push(`by the rule ${cause.fault}`);
  if (cause.other !== "") parts.push(`by ${cause.other}`);
  return parts.join(", ");
}

/** The details of a call. */
export function CallDetails({ call }: { call: RecordedCall }) {
  const lines = call.request === undefined ? [] : linesOf(call.request);
  return (
    <>
      <p>
        <Text value={call.rpc} />
        {call.messages > 0n && `, ${call.messages.toLocaleString("en")} messages`}
        {call.realTime !== undefined && `, at ${moment(milliseconds(call.realTime))} UTC of real time`}
      </p>
      {call.message !== "" && (
        <p class="failed">
          <Text value={call.message} most={2_000} />
        </p>
      )}
      {call.effects.length > 0 && (
        <>
          <h3>What it led to</h3>
          <ul>
            {call.effects.map((each, index) => (
              <li key={index}>
                {moment(milliseconds(each.time))} <AppLink app={each.app} />{" "}
                {each.change !== "" ? <Text value={each.change} /> : `message ${each.message} of the stream #${each.stream}`}{" "}
                <span class="quiet">
                  <Text value={causeText(each.cause)} />
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>Request</h3>
      <pre tabIndex={0}>
        <bdi>{lines.slice(0, MAX_LINES).map((each) => `${shown(each, 500)}\n`)}</bdi>
        {lines.length > MAX_LINES && `… ${(lines.length - MAX_LINES).toLocaleString("en")} more lines`}
      </pre>
    </>
  );
}
