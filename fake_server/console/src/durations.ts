// Durations as people write them, such as "1h30m". Pure functions, which agree with those of the Python package.
import { create } from "@bufbuild/protobuf";
import { DurationSchema, type Duration } from "@bufbuild/protobuf/wkt";
import { age } from "./format";

const NANOS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3_600e9, d: 86_400e9 };
const MAX_SECONDS = 100 * 366 * 86_400;
const MAX_SHOWN = 80;

/** Return a duration. Throws an Error for a text that is none. */
export function duration(text: string): Duration {
  const given = text.trim();
  const quoted = `"${given.slice(0, MAX_SHOWN)}"`;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(given)) {
    throw new Error(`the duration ${quoted} is invalid: write it as "500ms", "90s", "2m", "1h30m" or "10d"`);
  }
  let nanos = 0;
  for (const [, number, unit] of given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) nanos += Number(number) * (NANOS[unit!] ?? 0);
  nanos = Math.round(nanos);
  if (nanos > MAX_SECONDS * 1e9) throw new Error(`the duration ${quoted} is over a hundred years`);
  const seconds = Math.floor(nanos / 1e9);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: nanos - seconds * 1e9 });
}

/** Return a duration as a short text that `duration` takes; "" for none. */
export function durationText(given: Duration | undefined): string {
  if (given === undefined) return "";
  let seconds = Number(given.seconds);
  const parts: string[] = [];
  for (const [unit, size] of [["d", 86_400], ["h", 3_600], ["m", 60]] as const) {
    const count = Math.floor(seconds / size);
    if (count > 0) parts.push(`${count}${unit}`);
    seconds -= count * size;
  }
  const fraction = (whole: number, rest: number, digits: number): string =>
    `${whole}.${String(rest).padStart(digits, "0")}`.replace(/\.?0+$/, "");
  if (seconds > 0) parts.push(`${fraction(seconds, given.nanos, 9)}s`.replace(/^s$/, "0s"));
  else if (given.nanos > 0) parts.push(`${fraction(Math.floor(given.nanos / 1e6), given.nanos % 1e6, 6)}ms`);
  return parts.join("") || "0s";
}

/** Return how long something still takes, by its two largest units, in milliseconds where it is less than a second. */
export function inText(milliseconds: number): string {
  return milliseconds > 0 && milliseconds < 1_000 ? `${Math.ceil(milliseconds)}ms` : age(milliseconds);
}

/** Return a moment as the command line shows it, in UTC: 2026-01-01 00:00:00.050. */
export function moment(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return "";
  try {
    return new Date(milliseconds).toISOString().replace("T", " ").replace("Z", "");
  } catch {
    return "";
  }
}
