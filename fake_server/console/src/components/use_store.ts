import { useEffect, useState } from "preact/hooks";

interface Store {
  version: number;
  subscribe(listener: () => void): () => void;
}

/** Render again after changes of a store, at most once in `milliseconds`; return its version. */
export function useStore(store: Store, milliseconds = 100): number {
  const [version, setVersion] = useState(store.version);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last = -Infinity;
    const update = (): void => {
      timer = undefined;
      last = performance.now();
      setVersion(store.version);
    };
    const end = store.subscribe(() => {
      timer ??= setTimeout(update, Math.max(0, last + milliseconds - performance.now()));
    });
    update();
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [store, milliseconds]);
  return version;
}

/** Render again every `milliseconds`. */
export function useTick(milliseconds: number): void {
  const [, setCount] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setCount((count) => count + 1), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}
