import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { explain } from "../api/clients";
import { Pace } from "../api/pace";
import { sleep, whileVisible } from "../api/source";

export interface Polled<T> {
  value: T | undefined;
  /** Why it couldn't be read the last time, "" if it could. */
  error: string;
  /** Read again at once. */
  again: () => void;
}

/** Read something at once, and every `milliseconds` or less often while the page is seen; `key`: what it depends on. */
export function usePoll<T>(read: (signal: AbortSignal) => Promise<T>, milliseconds: number, key = ""): Polled<T> {
  const [state, setState] = useState<{ value: T | undefined; error: string }>({ value: undefined, error: "" });
  const latest = useRef(read);
  latest.current = read;
  const restart = useRef<() => void>(() => undefined);
  useEffect(() => {
    let running: AbortController | undefined;
    const run = async (signal: AbortSignal): Promise<void> => {
      const pace = new Pace(milliseconds);
      for (;;) {
        const begun = performance.now();
        try {
          const value = await latest.current(signal);
          if (signal.aborted) return;
          setState({ value, error: "" });
        } catch (error) {
          if (signal.aborted) return;
          setState(({ value }) => ({ value, error: explain(error) }));
        }
        await sleep(pace.pause(performance.now() - begun), signal);
      }
    };
    const stop = (): void => {
      running?.abort();
      running = undefined;
    };
    const start = (): void => {
      stop();
      running = new AbortController();
      run(running.signal).catch(() => undefined); // aborted
    };
    restart.current = start;
    return whileVisible(start, stop);
  }, [milliseconds, key]);
  return { ...state, again: useCallback(() => restart.current(), []) };
}
