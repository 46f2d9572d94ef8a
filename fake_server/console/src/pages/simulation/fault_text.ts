// The words for a rule. Pure functions.
import type { Fault } from "../../../gen/flyteapps_control/v1/control_pb";
import { durationText } from "../../durations";
import { selectorText } from "../../selectors";

/** Return the words for the calls that a rule matches. */
export function matchText(fault: Fault): string {
  const parts = [fault.rpc === "*" ? "all RPCs" : fault.rpc, `of ${selectorText(fault.app)}`];
  if (fault.caller !== "") parts.push(`by ${fault.caller}`);
  for (const [name, glob] of Object.entries(fault.headers)) parts.push(`with ${name}: ${glob}`);
  const { attempts } = fault;
  if (attempts.case === "probability") parts.push(`with the probability ${attempts.value}`);
  else if (attempts.case !== undefined) parts.push(`${attempts.case === "nth" ? "number" : attempts.case} ${attempts.value}`);
  if (fault.times > 0) parts.push(`at most ${fault.times} times`);
  if (fault.lifetime !== undefined) parts.push(`for ${durationText(fault.lifetime)}`);
  return parts.join(", ").replace(", of ", " of ");
}

/** Return the words for what a rule does. */
export function effectText({ effect }: Fault): string {
  switch (effect.case) {
    case "fail":
      return `fails with ${effect.value.code}${effect.value.applied ? ", once it is carried out" : ""}${effect.value.message !== "" ? `: ${effect.value.message}` : ""}`;
    case "delay": {
      const { distribution: by, real } = effect.value;
      const clock = real ? ", of real time" : "";
      if (by.case === "fixed") return `is delayed by ${durationText(by.value)}${clock}`;
      if (by.case === "uniform") return `is delayed by ${durationText(by.value.min) || "0s"} to ${durationText(by.value.max)}${clock}`;
      if (by.case === "logNormal") return `is delayed by about ${durationText(by.value.median)}, σ = ${by.value.sigma}${clock}`;
      return "is delayed";
    }
    case "reset":
      return `its connection is reset${effect.value.applied ? ", once it is carried out" : ""}`;
    case "http":
      return `is answered by HTTP ${effect.value.status}${effect.value.applied ? ", once it is carried out" : ""}`;
    case "cut":
      return `its stream ends after ${effect.value.after} messages${effect.value.code !== "" ? ` with ${effect.value.code}` : ""}`;
    case "stall":
      return `its stream stalls after ${effect.value.after} messages${effect.value.duration !== undefined ? ` for ${durationText(effect.value.duration)}` : ""}`;
    case "repeat":
      return `message ${effect.value.message} is sent twice`;
    case "withhold":
      return `message ${effect.value.message} isn't sent`;
    case "reorder":
      return `message ${effect.value.message} is sent after the next`;
    case "stale":
      return `shows what was ${durationText(effect.value.age)} ago`;
    case "stealLease":
      return `the cluster ${effect.value.cluster} takes the app first`;
    default:
      return "has a fault that this page doesn't know";
  }
}
