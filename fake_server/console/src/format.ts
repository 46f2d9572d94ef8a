// The wording of states, ages and names. Pure functions of values: no DOM, no clock.
import { Status_DeploymentStatus as State, Status_Substate as Substate } from "../gen/flyteidl2/app/app_definition_pb";

/** The groups of states, by which apps are filtered and coloured. */
export type Group = "active" | "pending" | "failed" | "stopped" | "idle" | "unknown";

export const GROUPS: readonly { group: Group; label: string }[] = [
  { group: "active", label: "Active" },
  { group: "pending", label: "Pending" },
  { group: "failed", label: "Failed" },
  { group: "idle", label: "Scaled to zero" },
  { group: "stopped", label: "Stopped" },
  { group: "unknown", label: "Unknown" },
];

export interface StateLabel {
  group: Group;
  /** Such as "Failed - OOM Killed". */
  text: string;
}

const STATES: Readonly<Record<number, StateLabel>> = {
  [State.UNSPECIFIED]: { group: "unknown", text: "Unknown" },
  [State.UNASSIGNED]: { group: "pending", text: "Unassigned" },
  [State.ASSIGNED]: { group: "pending", text: "Assigned" },
  [State.PENDING]: { group: "pending", text: "Pending" },
  [State.DEPLOYING]: { group: "pending", text: "Pending" },
  [State.STARTED]: { group: "active", text: "Active" },
  [State.ACTIVE]: { group: "active", text: "Active" },
  [State.SCALING_UP]: { group: "active", text: "Active - Scaling up" },
  [State.SCALING_DOWN]: { group: "active", text: "Active - Scaling down" },
  [State.FAILED]: { group: "failed", text: "Failed" },
  [State.STOPPED]: { group: "stopped", text: "Stopped" },
};

const SUBSTATES: Readonly<Record<number, string>> = {
  [Substate.SUBSTATE_UNSPECIFIED]: "",
  [Substate.PULLING_IMAGE]: "Pulling Image",
  [Substate.INITIALIZING]: "Initializing",
  [Substate.WEBHOOK_ERROR]: "Webhook Error",
  [Substate.IMAGE_PULL_ERROR]: "Image Pull Error",
  [Substate.SECRET_MOUNT_ERROR]: "Secret Mount Error",
  [Substate.CRASH_LOOP]: "CrashLoopBackOff",
  [Substate.OOM_KILLED]: "OOM Killed",
  [Substate.RUNNING]: "",
  [Substate.SCALED_TO_ZERO]: "Scaled to zero",
  [Substate.SCALING_FROM_ZERO]: "Scaling from zero",
  [Substate.SCALING_UP]: "Scaling up",
  [Substate.SCALING_DOWN]: "Scaling down",
};

/** Return the label of a deployment status and its substate, as the Flyte console words it; of any numbers. */
export function stateLabel(status: number, substate: number): StateLabel {
  const state = STATES[status] ?? { group: "unknown", text: `Unknown (${status})` };
  if (substate === Substate.SCALED_TO_ZERO && state.group === "active") return { group: "idle", text: "Scaled to zero" };
  const detail = SUBSTATES[substate] ?? `Unknown (${substate})`;
  return detail === "" ? state : { group: state.group, text: `${state.text} - ${detail}` };
}

const UNITS: readonly [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"],
];

/** Return a time span in its two largest units, such as "3d 4h" or "12s"; "" where it isn't known. */
export function age(milliseconds: number | undefined): string {
  if (milliseconds === undefined || !Number.isFinite(milliseconds)) return "";
  let rest = Math.max(0, Math.floor(milliseconds / 1000));
  const parts: string[] = [];
  for (const [seconds, unit] of UNITS) {
    const count = Math.floor(rest / seconds);
    if (count > 0 || (unit === "s" && parts.length === 0)) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    rest -= count * seconds;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** Return a time as a date and a time of day in UTC, to the millisecond; "" where it isn't known. */
export function instant(milliseconds: number | undefined): string {
  if (milliseconds === undefined || !(Math.abs(milliseconds) < 8.64e15)) return "";
  return new Date(milliseconds).toISOString().replace("T", " ").replace("Z", "");
}

/** Return a time span as short as its size allows, such as "0.42s" or "3m 5s". */
export function span(milliseconds: number): string {
  if (milliseconds < 10_000) return `${Number((Math.max(0, milliseconds) / 1000).toFixed(milliseconds < 1_000 ? 3 : 1))}s`;
  return age(milliseconds);
}

export const MAX_SHOWN_CHARACTERS = 300;
/** Control characters, and marks that change the direction of the text around them. */
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Return a text of others as it may be shown in one line: cut, and its invisible characters made visible. */
export function shown(text: string, most: number = MAX_SHOWN_CHARACTERS): string {
  const cut = text.length > most ? `${text.slice(0, most)}… (${text.length.toLocaleString("en")} characters)` : text;
  return cut.replace(UNSAFE, (each) => {
    const code = each.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : `⟨${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** Return the URL if a browser may open it from here, undefined for any other scheme. */
export function openable(url: string): string | undefined {
  try {
    const { protocol } = new URL(url);
    return protocol === "http:" || protocol === "https:" ? url : undefined;
  } catch {
    return undefined;
  }
}
