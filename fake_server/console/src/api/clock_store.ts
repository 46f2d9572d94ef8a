// The plane's clock as the page of the simulation shows it: read again and again, with as many timers as are drawn.
import type { Code } from "@connectrpc/connect";
import type { GetClockResponse } from "../../gen/flyteapps_control/v1/control_pb";
import { Follower, type FollowerSource } from "./follower";
import { Pace } from "./pace";

export interface ClockSource extends FollowerSource {
  /** Return the clock with its next timers, at most so many. */
  read(maxTimers: number, signal: AbortSignal): Promise<GetClockResponse>;
  now(): number;
}

export const CLOCK_MS = 2_000;

export class ClockStore extends Follower<ClockSource> {
  clock: GetClockResponse | undefined;
  #maxTimers = 0;
  #wake = new AbortController();

  /** Read again at once. */
  again(): void {
    this.#wake.abort();
  }

  /** Read so many timers from now on. */
  want(maxTimers: number): void {
    if (maxTimers > this.#maxTimers) this.again();
    this.#maxTimers = maxTimers;
  }

  protected override async follow(signal: AbortSignal, succeeded: () => void): Promise<void> {
    const pace = new Pace(CLOCK_MS);
    for (;;) {
      this.#wake = new AbortController();
      const { source } = this;
      const begun = source.now();
      this.clock = await source.read(this.#maxTimers, signal);
      succeeded();
      const milliseconds = pace.pause(source.now() - begun);
      this.set({ state: "polling", milliseconds });
      const wake = this.#wake.signal;
      await source.sleep(milliseconds, AbortSignal.any([signal, wake])).catch((error: unknown) => {
        if (!wake.aborted || signal.aborted) throw error;
      });
    }
  }

  protected override failed(_code: Code): "later" {
    return "later";
  }
}
