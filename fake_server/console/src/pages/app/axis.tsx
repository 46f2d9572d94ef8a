// What the drawings of an app share: their width, the range of time, its axis, the marks of calls.
import { useEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import { planeClock, realTime } from "../../api/clock";
import { milliseconds } from "../../api/rows";
import { instant, shown, span } from "../../format";
import { ticks, type Range } from "./scale";
import type { Calls } from "./use_calls";

const TICK_PIXELS = 110;
const TICK_HEIGHT = 24;
const REAL_HEIGHT = 16;

/** The times that are drawn, and where: from `left` to `left + width` pixels. */
export interface Frame {
  first: number;
  end: number;
  left: number;
  width: number;
  /** Return the place of a time; the edge for one outside. */
  x(time: number): number;
}

/** Return the frame of these times. */
export function frameOf(first: number, end: number, left: number, width: number): Frame {
  const x = (time: number): number => left + (Math.min(Math.max(time, first), end) - first) * (width / (end - first));
  return { first, end, left, width, x };
}

/** Return the width of an element, and where to put it. */
export function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(200, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

/** The choice of the times that are drawn. */
export function RangeField({ range, choose, frame }: { range: Range; choose: (range: Range) => void; frame: Frame }) {
  return (
    <div class="range">
      <label>
        Shown{" "}
        <select value={range} onChange={(event) => choose(event.currentTarget.value as Range)}>
          <option value="all">all the time until now</option>
          <option value="changes">up to the last change</option>
          <option value="start">since the newest start</option>
        </select>
      </label>
      <span class="hint">
        from <time>{instant(frame.first)}</time> UTC, {span(frame.end - frame.first)}
      </span>
    </div>
  );
}

/** A call, where it is drawn. */
export interface Mark {
  time: number;
  fault: boolean;
  text: string;
}

/** Return the changes and faults that the log of calls has. */
export function marksOf(calls: Calls): Mark[] {
  if (calls.state !== "there") return [];
  return calls.calls
    .filter((each) => each.faults.length > 0 || /\/(Create|Update|Delete)$/.test(each.rpc))
    .map((each) => ({
      time: milliseconds(each.time) ?? 0,
      fault: each.faults.length > 0,
      text: `Call ${each.number}: ${each.rpc.replace(/^.*\//, "")}, ${each.code}${each.faults.length > 0 ? `, by fault ${shown(each.faults.join(", "), 60)}` : ""}`,
    }));
}

/** The marks at the top; `bottom`: where a line from each ends, without it there is none. */
export function Marks({ marks, frame, bottom }: { marks: readonly Mark[]; frame: Frame; bottom?: number }) {
  const right = frame.left + frame.width;
  return (
    <>
      {marks.map((each, at) => {
        if (each.time < frame.first - 1 || each.time > frame.end) return null;
        const middle = Math.min(Math.max(frame.x(each.time), 5), right - 5);
        return (
          <g key={at} class={each.fault ? "mark fault" : "mark"}>
            <title>{`${each.text}, ${instant(each.time)}`}</title>
            {bottom !== undefined && <line x1={frame.x(each.time)} x2={frame.x(each.time)} y1={9} y2={bottom} />}
            <path d={`M${middle - 5} 1h10l-5 8z`} />
          </g>
        );
      })}
    </>
  );
}

/** Return the real time of a time, where the plane's clock isn't that of the machine and it is known. */
function realOf(time: number): number | undefined {
  return planeClock().real ? undefined : realTime(time);
}

/** Return the height of the axis. */
export function axisHeight(frame: Frame): number {
  return TICK_HEIGHT + (realOf(frame.first) !== undefined ? REAL_HEIGHT : 0);
}

/** The axis of time, below `top`. */
export function Axis({ frame, top }: { frame: Frame; top: number }) {
  const { first, end, left, width, x } = frame;
  const right = left + width;
  return (
    <>
      <line class="axis" x1={left} x2={right} y1={top + 6} y2={top + 6} />
      {ticks(end - first, Math.max(2, Math.floor(width / TICK_PIXELS))).map((each) => {
        const middle = x(first + each);
        const place = middle > right - 50 ? "end" : middle < 10 ? "start" : "middle";
        const wall = realOf(first + each);
        return (
          <g key={each} class="tick">
            <line x1={middle} x2={middle} y1={top + 4} y2={top + 9} />
            <text x={middle} y={top + 21} text-anchor={place}>
              {each === 0 ? "0" : `+${span(each)}`}
            </text>
            {wall !== undefined && (
              <text x={middle} y={top + 36} text-anchor={place}>
                {instant(wall).slice(11, 19)}
              </text>
            )}
          </g>
        );
      })}
    </>
  );
}

/** The words about the marks and the axis. */
export function Legend({ marks, frame }: { marks: readonly Mark[]; frame: Frame }) {
  return (
    <>
      {marks.length > 0 && <p class="hint">Triangles are recorded calls: Create, Update, Delete, and those with faults, which are red.</p>}
      {realOf(frame.first) !== undefined && <p class="hint">Below the axis: the plane's time since the beginning, and the real time (UTC).</p>}
    </>
  );
}
