import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { explain } from "../api/clients";
import { sleep, whileVisible } from "../api/source";

export interface Polled<T> {
  value: T | undefined;
  /** Why it couldn't be read the last time, "" if it could. */
  error: string;
  /** Read again at once. */
  again: () => void;
}

/** The pause after a read, in times that it took: what takes long is read less often, so that an open page costs little. */
const PAUSE = 100;
const MAX_PAUSE_MS = 30_000;

/** Read something at once, and every `milliseconds` while the page is seen; `key`: what it depends on. */
export function usePoll<T>(read: (signal: AbortSignal) => Promise<T>, milliseconds: number, key = ""): Polled<T> {
  const [state, setState] = useState<{ value: T | undefined; error: string }>({ value: undefined, error: "" });
  const latest = useRef(read);
  latest.current = read;
  const restart = useRef<() => void>(() => undefined);
  useEffect(() => {
    let running: AbortController | undefined;
    const run = async (signal: AbortSignal): Promise<void> => {
      let before = 0;
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
        const took = performance.now() - begun;
        await sleep(Math.max(milliseconds, Math.min(MAX_PAUSE_MS, PAUSE * Math.min(took, before))), signal);
        before = took; // a single slow read, such as the first of a page, changes nothing
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
