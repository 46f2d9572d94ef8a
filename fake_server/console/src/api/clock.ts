// The plane's clock, by which ages are counted: it may be faster than the real one, or stand still.
import { control } from "./clients";
import { milliseconds } from "./rows";
import { session } from "./session";

let readAt = 0;
let now: number | undefined;
let speed = 1;
let mode = "";

/** Read the plane's clock; a plane without the control API, or for callers without a right to it, has the real time. */
export async function readClock(signal: AbortSignal): Promise<void> {
  try {
    await session.start();
    if (!session.hasControl || !session.mayControl) throw new Error("the clock is for admins");
    const found = await control.getClock({ maxTimers: 0 }, { signal });
    now = milliseconds(found.now);
    mode = found.mode;
    speed = found.mode === "realtime" ? found.speed : 0;
  } catch {
    now = undefined;
    mode = "";
  }
  readAt = performance.now();
}

/** Return the plane's time in milliseconds since the epoch. */
export function planeNow(): number {
  return now === undefined ? Date.now() : now + (performance.now() - readAt) * speed;
}

/** Return the clock's mode, "" where it isn't known, and whether its time is that of this machine. */
export function planeClock(): { mode: string; speed: number; real: boolean } {
  const real = now === undefined || (speed === 1 && Math.abs(planeNow() - Date.now()) < 5_000);
  return { mode, speed, real };
}

/** Return the real time of a time of the plane; undefined where its clock doesn't move at a constant speed. */
export function realTime(planeTime: number): number | undefined {
  if (now === undefined) return planeTime;
  return speed === 0 ? undefined : Date.now() - (planeNow() - planeTime) / speed;
}
