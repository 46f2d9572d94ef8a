// The timeline of conditions, drawn to scale, and the table of them.
import { useState } from "preact/hooks";
import type { App, Condition } from "../../../gen/flyteidl2/app/app_definition_pb";
import type { EnrichedIdentity } from "../../../gen/flyteidl2/common/identity_pb";
import { keyOfCondition, type AppStore } from "../../api/app_store";
import { planeClock, planeNow, realTime } from "../../api/clock";
import { milliseconds } from "../../api/rows";
import { Badge } from "../../components/badge";
import { Text } from "../../components/text";
import { useTick } from "../../components/use_store";
import { instant, shown, span, stateLabel } from "../../format";
import { Axis, axisHeight, frameOf, Legend, Marks, marksOf, RangeField, useWidth, type Mark } from "./axis";
import { bounds, newestStart, piecesOf, usualRange, type Range } from "./scale";
import type { Calls } from "./use_calls";

const MAX_ROWS = 200;
const BAR_TOP = 14;
const BAR_HEIGHT = 26;
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

/** Return when the app's newest start was, as far as its conditions say. */
export function startOf(app: App): number | undefined {
  const points = pointsOf(app);
  return points[newestStart(points.map((each) => each.group))]?.time;
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

function Timeline({ points, marks }: { points: Point[]; marks: Mark[] }) {
  useTick(1_000);
  const [box, width] = useWidth();
  const [chosen, setChosen] = useState<Range | undefined>();
  const pieces = piecesOf(points.map((each) => each.time));
  const now = Math.max(planeNow(), points.at(-1)!.time);
  const range = chosen ?? usualRange(pieces, now);
  const [first, end] = bounds(pieces, now, range, points[newestStart(points.map((each) => each.group))]!.time);
  const frame = frameOf(first, end, 0, width);
  const summary = points.slice(-8).map((each) => shown(each.state, 60)).join(", then ");
  return (
    <div class="timeline">
      <RangeField range={range} choose={setChosen} frame={frame} />
      <div ref={box}>
        <svg width={width} height={BAR_TOP + BAR_HEIGHT + axisHeight(frame)} role="img" aria-label={`Timeline: ${summary}. The table has the times.`}>
          {points.map((each, at) => {
            const { from, until } = pieces[at]!;
            const last = until ?? now;
            if (last < first || from > end) return null;
            const left = frame.x(from);
            const wide = Math.max(1, frame.x(last) - left);
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
          <Marks marks={marks} frame={frame} />
          <Axis frame={frame} top={BAR_TOP + BAR_HEIGHT} />
        </svg>
      </div>
      <Legend marks={marks} frame={frame} />
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
