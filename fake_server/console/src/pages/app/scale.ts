// The geometry of the timeline: which time is where. Pure functions of times, no DOM.

export interface Piece {
  /** Milliseconds since the epoch, of the plane's clock. */
  from: number;
  /** The time of the next condition; undefined for the last one, which lasts. */
  until: number | undefined;
}

export type Range = "all" | "changes" | "start";

/** Return the pieces between times; those out of order count as at the one before. */
export function piecesOf(times: readonly number[]): Piece[] {
  const rising: number[] = [];
  for (const each of times) rising.push(Math.max(each, rising.at(-1) ?? each));
  return rising.map((from, at) => ({ from, until: rising[at + 1] }));
}

/** Return the first and last time to draw. `begin`: that of the newest start. */
export function bounds(pieces: readonly Piece[], now: number, range: Range, begin: number): [number, number] {
  const first = range === "start" ? begin : (pieces[0]?.from ?? now);
  const change = pieces.at(-1)?.from ?? now;
  const end = range === "all" ? Math.max(now, change) : Math.min(Math.max(now, change), change + Math.max(0.15 * (change - first), 1_000));
  return [first, Math.max(end, first + 1)];
}

/** Return the range to begin with: up to the last change, where it would be a speck of all the time since. */
export function usualRange(pieces: readonly Piece[], now: number): Range {
  const first = pieces[0]?.from ?? now;
  const change = pieces.at(-1)?.from ?? now;
  return now - change > 10 * (change - first) && change > first ? "changes" : "all";
}

/** Return the place of the condition with which the newest start begins, by the groups of the states. */
export function newestStart(groups: readonly string[]): number {
  for (let at = groups.length - 1; at > 0; at -= 1) if (groups[at] === "pending" && groups[at - 1] !== "pending") return at;
  return 0;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800].map((each) => each * 1_000),
);

/** Return round distances from the first time, at most so many. */
export function ticks(length: number, most: number): number[] {
  let step = STEPS.find((each) => length / each <= most);
  if (step === undefined) {
    step = 604_800_000;
    while (length / step > most) step *= 2;
  }
  const found: number[] = [];
  for (let at = 0; at <= length; at += step) found.push(at);
  return found;
}
