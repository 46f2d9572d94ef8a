// The timeline of conditions, drawn to scale, and the table of them.
import { useEffect, useRef, useState } from "preact/hooks";
import type { App, Condition } from "../../../gen/flyteidl2/app/app_definition_pb";
import type { EnrichedIdentity } from "../../../gen/flyteidl2/common/identity_pb";
import { keyOfCondition, type AppStore } from "../../api/app_store";
import { planeClock, planeNow, realTime } from "../../api/clock";
import { milliseconds } from "../../api/rows";
import { Badge } from "../../components/badge";
import { Text } from "../../components/text";
import { useTick } from "../../components/use_store";
import { instant, shown, span, stateLabel } from "../../format";
import type { Calls } from "./use_calls";
import { bounds, newestStart, piecesOf, ticks, usualRange, type Range } from "./scale";

const MAX_ROWS = 200;
const BAR_TOP = 14;
const BAR_HEIGHT = 26;
const TICK_PIXELS = 110;
/** Characters of a label in the bar, of about this width each. */
const LETTER_PIXELS = 7;

interface Point {
  condition: Condition;
  time: number;
  group: string;
  state: string;
}

function pointsOf(app: App): Point[] {
  let last = milliseconds(app.status?.createdAt) ?? 0;
  return (app.status?.conditions ?? []).map((condition) => {
    last = milliseconds(condition.lastTransitionTime) ?? last;
    const { group, text } = stateLabel(condition.deploymentStatus, condition.substate);
    return { condition, time: last, group, state: text };
  });
}

/** What led to the app's state: a timeline and a table. */
export function Conditions({ app, store, calls }: { app: App; store: AppStore; calls: Calls }) {
  const points = pointsOf(app);
  const clock = planeClock();
  return (
    <section class="part" aria-labelledby="conditions">
      <h2 id="conditions">Conditions</h2>
      {points.length === 0 ? (
        <p>The plane has no conditions of this app yet.</p>
      ) : (
        <>
          <Timeline points={points} marks={marksOf(calls)} />
          {!clock.real && (
            <p class="hint">
              Times are the plane's, whose clock is {clock.mode}
              {clock.mode === "realtime" && clock.speed !== 1 && ` and ${clock.speed} times as fast as the real one`}.
            </p>
          )}
          <Table points={points} store={store} virtual={!clock.real} />
        </>
      )}
    </section>
  );
}

/** A call on the timeline. */
interface Mark {
  time: number;
  fault: boolean;
  text: string;
}

/** Return the changes and faults that the log of calls has. */
function marksOf(calls: Calls): Mark[] {
  if (calls.state !== "there") return [];
  return calls.calls
    .filter((each) => each.faults.length > 0 || /\/(Create|Update|Delete)$/.test(each.rpc))
    .map((each) => ({
      time: milliseconds(each.time) ?? 0,
      fault: each.faults.length > 0,
      text: `Call ${each.number}: ${each.rpc.replace(/^.*\//, "")}, ${each.code}${each.faults.length > 0 ? `, by fault ${shown(each.faults.join(", "), 60)}` : ""}`,
    }));
}

function Timeline({ points, marks }: { points: Point[]; marks: Mark[] }) {
  useTick(1_000);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  const [chosen, setChosen] = useState<Range | undefined>();
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(200, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const pieces = piecesOf(points.map((each) => each.time));
  const now = Math.max(planeNow(), points.at(-1)!.time);
  const range = chosen ?? usualRange(pieces, now);
  const [first, end] = bounds(pieces, now, range, points[newestStart(points.map((each) => each.group))]!.time);
  const x = (time: number): number => (Math.min(Math.max(time, first), end) - first) * (width / (end - first));
  const virtual = !planeClock().real;
  const steps = ticks(end - first, Math.max(2, Math.floor(width / TICK_PIXELS)));
  const real = (time: number): number | undefined => (virtual ? realTime(time) : undefined);
  const height = BAR_TOP + BAR_HEIGHT + (real(first) !== undefined ? 40 : 24);
  const summary = points.slice(-8).map((each) => shown(each.state, 60)).join(", then ");
  return (
    <div class="timeline">
      <div class="range">
        <label>
          Shown{" "}
          <select value={range} onChange={(event) => setChosen(event.currentTarget.value as Range)}>
            <option value="all">all the time until now</option>
            <option value="changes">up to the last change</option>
            <option value="start">since the newest start</option>
          </select>
        </label>
        <span class="hint">
          from <time>{instant(first)}</time> UTC, {span(end - first)}
        </span>
      </div>
      <div ref={box}>
        <svg width={width} height={height} role="img" aria-label={`Timeline: ${summary}. The table has the times.`}>
          {points.map((each, at) => {
            const { from, until } = pieces[at]!;
            const last = until ?? now;
            if (last < first || from > end) return null;
            const left = x(from);
            const wide = Math.max(1, x(last) - left);
            const fits = Math.floor((wide - 12) / LETTER_PIXELS);
            return (
              <g key={at} class={`piece ${each.group}`}>
                <title>{`${shown(each.state, 60)}: ${instant(from)}, ${span(last - from)}${until === undefined ? " so far" : ""}`}</title>
                <rect x={left} y={BAR_TOP} width={wide} height={BAR_HEIGHT} />
                <line x1={left} x2={left} y1={BAR_TOP - 4} y2={BAR_TOP + BAR_HEIGHT + 4} />
                {fits >= 4 && (
                  <text x={left + 6} y={BAR_TOP + 17}>
                    {each.state.length > fits ? `${each.state.slice(0, fits - 1)}…` : each.state}
                  </text>
                )}
              </g>
            );
          })}
          {marks.map((each, at) => {
            const left = Math.min(Math.max(x(each.time), 5), width - 5);
            if (each.time < first - 1 || each.time > end) return null;
            return (
              <path key={at} class={each.fault ? "mark fault" : "mark"} d={`M${left - 5} 1h10l-5 8z`}>
                <title>{`${each.text}, ${instant(each.time)}`}</title>
              </path>
            );
          })}
          <line class="axis" x1={0} x2={width} y1={BAR_TOP + BAR_HEIGHT + 6} y2={BAR_TOP + BAR_HEIGHT + 6} />
          {steps.map((each) => {
            const left = x(first + each);
            const place = left > width - 50 ? "end" : left < 10 ? "start" : "middle";
            const wall = real(first + each);
            return (
              <g key={each} class="tick">
                <line x1={left} x2={left} y1={BAR_TOP + BAR_HEIGHT + 4} y2={BAR_TOP + BAR_HEIGHT + 9} />
                <text x={left} y={BAR_TOP + BAR_HEIGHT + 21} text-anchor={place}>
                  {each === 0 ? "0" : `+${span(each)}`}
                </text>
                {wall !== undefined && (
                  <text x={left} y={BAR_TOP + BAR_HEIGHT + 36} text-anchor={place}>
                    {instant(wall).slice(11, 19)}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
      {marks.length > 0 && <p class="hint">Triangles are recorded calls: Create, Update, Delete, and those with faults, which are red.</p>}
      {real(first) !== undefined && <p class="hint">Below the axis: the plane's time since the beginning, and the real time (UTC).</p>}
    </div>
  );
}

function Table({ points, store, virtual }: { points: Point[]; store: AppStore; virtual: boolean }) {
  const newest = points.map((each, at) => ({ ...each, until: points[at + 1]?.time })).reverse();
  const revisions = points.some((each) => each.condition.revision !== 0n);
  const actors = points.some((each) => actorOf(each.condition.actor) !== "");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of conditions">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Time (UTC)</th>
            {virtual && <th scope="col">Real time</th>}
            <th scope="col">State</th>
            <th scope="col">Lasted</th>
            <th scope="col">Message</th>
            {revisions && <th scope="col" title="The revision of the status: one more with each condition">Status revision</th>}
            {actors && <th scope="col">Actor</th>}
          </tr>
        </thead>
        <tbody>
          {newest.slice(0, MAX_ROWS).map((each) => (
            <tr key={keyOfCondition(each.condition)}>
              <td class="number">{instant(each.time)}</td>
              {virtual && <td class="number">{instant(realTime(each.time) ?? store.seenAt.get(keyOfCondition(each.condition))).slice(11) || "not known"}</td>}
              <td>
                <Badge group={each.group as "active"} text={each.state} />
              </td>
              <td class="number">{each.until === undefined ? "" : span(each.until - each.time)}</td>
              <td class="message">
                <Text value={each.condition.message} most={1_000} />
              </td>
              {revisions && <td class="number">{String(each.condition.revision)}</td>}
              {actors && (
                <td>
                  <Text value={actorOf(each.condition.actor)} most={60} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {newest.length > MAX_ROWS && <p class="hint">The newest {MAX_ROWS} of {newest.length.toLocaleString("en")} conditions.</p>}
      {!revisions && <p class="hint">This plane keeps the present conditions alone, not those before, and gives them no revision.</p>}
    </div>
  );
}

/** Return the name of a person or program; "" where it isn't known. */
export function actorOf(actor: EnrichedIdentity | undefined): string {
  const found = actor?.principal;
  if (found?.case === "user") {
    const { spec, id } = found.value;
    return spec?.userHandle || spec?.email || [spec?.firstName, spec?.lastName].filter(Boolean).join(" ") || id?.subject || "";
  }
  if (found?.case === "application") return found.value.spec?.name || found.value.id?.subject || "";
  return "";
}
