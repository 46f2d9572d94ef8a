// What an app used over time, as numbers to draw: replicas, loads, requests. Pure functions, no DOM.
import type { AppUsage, Load } from "../../../gen/flyteapps_control/v1/control_pb";
import { milliseconds } from "../../api/rows";

/** A number from a time on, in milliseconds since the epoch. */
export interface Level {
  time: number;
  value: number;
}

/** Requests between two times, and how many they were a second. */
export interface Requests {
  time: number;
  until: number;
  count: number;
  rate: number;
}

export interface Use {
  since: number;
  replicas: readonly Level[];
  /** The declared loads, 0 for none, with their words; empty as long as none was declared. */
  loads: readonly (Level & { text: string })[];
  requests: readonly Requests[];
  /** All of them. */
  total: number;
}

/** Return what the message says. */
export function useOf(usage: AppUsage): Use {
  const requests = usage.requests.map((each) => {
    const time = milliseconds(each.time) ?? 0;
    const length = Number(each.span?.seconds ?? 1n) * 1_000 || 1_000;
    const count = Number(each.requests);
    return { time, until: time + length, count, rate: (count * 1_000) / length };
  });
  return {
    since: milliseconds(usage.since) ?? 0,
    replicas: usage.replicas.map((each) => ({ time: milliseconds(each.time) ?? 0, value: each.replicas })),
    loads: usage.loads.map((each) => ({ time: milliseconds(each.time) ?? 0, value: each.load?.amount.value ?? 0, text: loadText(each.load) })),
    requests,
    total: requests.reduce((sum, each) => sum + each.count, 0),
  };
}

/** Return a load in words. */
export function loadText(load: Load | undefined): string {
  const { case: kind, value } = load?.amount ?? {};
  if (kind === undefined || value === undefined) return load === undefined ? "none" : "0";
  return kind === "requestsPerSecond" ? `${value} requests a second` : `${value} requests at the same time`;
}

/** Return the times at which something changed, rising. */
export function changesOf(use: Use): number[] {
  const all = [use.since, ...use.replicas.map((each) => each.time), ...use.loads.map((each) => each.time), ...use.requests.flatMap((each) => [each.time, each.until])];
  return [...new Set(all)].sort((one, other) => one - other);
}

/** Return a round number that is not less, for the top of a scale: 1, 2, 4, 5, 10, 20, 40, 50, ... */
export function top(value: number): number {
  if (!(value > 1)) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return size * ([1, 2, 4, 5, 10].find((each) => each * size >= value) ?? 10);
}

/** Return the levels that hold between two times: the first of them from the first time on. */
export function between(levels: readonly Level[], first: number, end: number): Level[] {
  const before = levels.filter((each) => each.time <= first).at(-1);
  const within = levels.filter((each) => each.time > first && each.time <= end);
  return before === undefined ? within : [{ time: first, value: before.value }, ...within];
}

/** Return the path of steps, and of the area below them. */
export function paths(levels: readonly Level[], end: number, x: (time: number) => number, y: (value: number) => number): { line: string; area: string } {
  const [first] = levels;
  if (first === undefined) return { line: "", area: "" };
  const places = levels.map(({ time, value }, at) => `${at === 0 ? "M" : "H"}${x(time).toFixed(1)}${at === 0 ? " " : "V"}${y(value).toFixed(1)}`);
  const line = `${places.join("")}H${x(end).toFixed(1)}`;
  return { line, area: `${line}V${y(0).toFixed(1)}H${x(first.time).toFixed(1)}Z` };
}

/** A row of the table. */
export interface Row {
  time: number;
  what: string;
  value: string;
}

/** Return all of it in words, the newest first. */
export function rowsOf(use: Use): Row[] {
  const rows: Row[] = [
    ...use.replicas.map(({ time, value }) => ({ time, what: "Replicas", value: String(value) })),
    ...use.loads.map(({ time, text }) => ({ time, what: "Declared load", value: text })),
    ...use.requests.map(({ time, until, count }) => ({ time, what: "Requests", value: `${count.toLocaleString("en")} in ${(until - time) / 1_000} s` })),
  ];
  return rows.sort((one, other) => other.time - one.time);
}
