// The plane's clock, by which ages are counted: it may be faster than the real one, or stand still.
import { control } from "./clients";
import { milliseconds } from "./rows";

let readAt = 0;
let now: number | undefined;
let speed = 1;

/** Read the plane's clock; a plane without the control API has the real time. */
export async function readClock(signal: AbortSignal): Promise<void> {
  try {
    const found = await control.getClock({}, { signal });
    now = milliseconds(found.now);
    speed = found.mode === "realtime" ? found.speed : 0;
  } catch {
    now = undefined;
  }
  readAt = performance.now();
}

/** Return the plane's time in milliseconds since the epoch. */
export function planeNow(): number {
  return now === undefined ? Date.now() : now + (performance.now() - readAt) * speed;
}
