// The rows that a scrolled table draws: those that are seen and some around them.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

/** Height of a row, which the style sheet sets, too: --row. */
export const ROW_PIXELS = 40;
const AROUND = 8;

export interface Window {
  first: number;
  /** After the last. */
  end: number;
}

/** Return the rows to draw, of so many, in a view of that height. */
export function windowOf(count: number, top: number, height: number, row: number = ROW_PIXELS): Window {
  const last = Math.min(count, Math.ceil((top + height) / row) + AROUND);
  return { first: Math.max(0, Math.min(Math.floor(top / row), count) - AROUND), end: last };
}

/** Return the rows to draw in a scrolled element, also after it is scrolled or resized. */
export function useWindow(scrolled: RefObject<HTMLElement | null>, count: number, row: number = ROW_PIXELS): Window {
  const [view, setView] = useState({ top: 0, height: 1_000 });
  useLayoutEffect(() => {
    const element = scrolled.current;
    if (element !== null) setView({ top: element.scrollTop, height: element.clientHeight });
  }, [scrolled]);
  useEffect(() => {
    const element = scrolled.current;
    if (element === null) return;
    const update = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    element.addEventListener("scroll", update, { passive: true });
    const observer = new ResizeObserver(update);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", update);
      observer.disconnect();
    };
  }, [scrolled]);
  return windowOf(count, view.top, view.height, row);
}
