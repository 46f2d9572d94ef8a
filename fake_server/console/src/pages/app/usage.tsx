// The chart of replicas, declared loads and requests over time, and the table of them.
import { useEffect, useRef, useState } from "preact/hooks";
import type { App } from "../../../gen/flyteidl2/app/app_definition_pb";
import { usageOf } from "../../api/app_source";
import type { AppStore } from "../../api/app_store";
import { planeClock, planeNow } from "../../api/clock";
import { keyOf, milliseconds } from "../../api/rows";
import { session } from "../../api/session";
import { ErrorText } from "../../components/form";
import { usePoll } from "../../components/use_poll";
import { useStore, useTick } from "../../components/use_store";
import { instant } from "../../format";
import type { AppName } from "../../router";
import { Axis, axisHeight, frameOf, Legend, Marks, marksOf, RangeField, useWidth, type Frame, type Mark } from "./axis";
import { startOf } from "./timeline";
import { between, changesOf, paths, rowsOf, top, useOf, type Level, type Use } from "./use";
import { bounds, piecesOf, usualRange, type Range } from "./scale";
import type { Calls } from "./use_calls";

const READ_MS = 2_000;
/** The time in which changes of the app lead to one more read. */
const PAUSE_MS = 300;
const MAX_ROWS = 200;
const MARGIN = 44;
const MARKS = 12;
const LANE = 78;
const TITLE = 18;

interface Props {
  name: AppName;
  app: App;
  store: AppStore;
  calls: Calls;
}

/** The part of the page about replicas and requests. */
export function UsagePart(props: Props) {
  useStore(session);
  return (
    <section class="part" aria-labelledby="usage">
      <h2 id="usage">Replicas and requests</h2>
      {!session.hasControl ? (
        <p>This server has no control API, which knows of them: the plane itself keeps the present number of replicas alone.</p>
      ) : session.current.state === "starting" ? (
        <p>Loading…</p>
      ) : !session.mayControl ? (
        <p>The control API, which knows of them, is for admins.</p>
      ) : (
        <Content {...props} />
      )}
    </section>
  );
}

function Content({ name, app, store, calls }: Props) {
  const live = store.isCurrent;
  const known = useRef<Use | undefined>(undefined);
  const read = async (signal: AbortSignal): Promise<Use | undefined> => {
    if (live) {
      const found = await usageOf(name, signal);
      if (found !== undefined) known.current = useOf(found); // else it is deleted, and what was known last stays
    }
    return known.current;
  };
  const { value, error, again } = usePoll(read, READ_MS, `${keyOf(name.project, name.domain, name.name)} ${live}`);
  useEffect(() => {
    const timer = setTimeout(again, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [store.changes, again]);
  if (value === undefined) return error !== "" ? <ErrorText text={error} /> : <p>Loading…</p>;
  return <Chart use={value} app={app} marks={marksOf(calls)} />;
}

function Chart({ use, app, marks }: { use: Use; app: App; marks: readonly Mark[] }) {
  useTick(1_000);
  const [box, width] = useWidth();
  const [chosen, setChosen] = useState<Range | undefined>();
  const pieces = piecesOf(changesOf(use));
  const now = Math.max(planeNow(), pieces.at(-1)!.from);
  const range = chosen ?? usualRange(pieces, now);
  const [first, end] = bounds(pieces, now, range, Math.max(startOf(app) ?? use.since, use.since));
  const frame = frameOf(first, end, MARGIN, width - MARGIN - 6);
  const asked = use.total > 0 || use.loads.length > 0;
  const bottom = MARKS + LANE * (asked ? 2 : 1);
  return (
    <div class="timeline usage">
      <RangeField range={range} choose={setChosen} frame={frame} />
      <div ref={box}>
        <svg width={width} height={bottom + axisHeight(frame)} role="img" aria-label={`${summaryOf(use)} The table below has the numbers.`}>
          <ReplicaLane frame={frame} y={MARKS} levels={use.replicas} />
          {asked && <RequestLane use={use} frame={frame} y={MARKS + LANE} />}
          <Marks marks={marks} frame={frame} bottom={bottom} />
          <Axis frame={frame} top={bottom} />
        </svg>
      </div>
      {!asked && (
        <p class="hint">
          No request has come to its URL through this server since {instant(use.since).slice(0, 19)} UTC, and no load is declared for it: open
          its endpoint, or declare a load on the page of the simulation.
        </p>
      )}
      {asked && <p class="hint">Bars are requests to its URL, and the dashed line is the load that is declared for it, in requests a second or at the same time.</p>}
      <Legend marks={marks} frame={frame} />
      {use.since > (milliseconds(app.status?.createdAt) ?? Infinity) && (
        <p class="hint">
          Known since {instant(use.since).slice(0, 19)} UTC: what was before the server started, or before the plane returned to another
          state, isn't kept.
        </p>
      )}
      <Table use={use} />
    </div>
  );
}

/** One scale with its title, the lines of 0 and of the top. */
function Scale({ title, frame, y, most }: { title: string; frame: Frame; y: number; most: number }) {
  const right = frame.left + frame.width;
  return (
    <g class="scale">
      <text class="title" x={frame.left} y={y + 11}>
        {title}
      </text>
      {[most, 0].map((each, at) => (
        <g key={each}>
          <line x1={frame.left} x2={right} y1={at === 0 ? y + TITLE : y + LANE - 4} y2={at === 0 ? y + TITLE : y + LANE - 4} />
          <text x={frame.left - 6} y={(at === 0 ? y + TITLE : y + LANE - 4) + 4} text-anchor="end">
            {each.toLocaleString("en", { notation: "compact" })}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Return the places of the values of a lane. */
function placesOf(y: number, most: number): (value: number) => number {
  return (value) => y + LANE - 4 - (value / most) * (LANE - TITLE - 4);
}

function ReplicaLane({ frame, y, levels }: { frame: Frame; y: number; levels: readonly Level[] }) {
  const most = top(Math.max(0, ...levels.map((each) => each.value)));
  const seen = between(levels, frame.first, frame.end);
  const { line, area } = paths(seen, frame.end, frame.x, placesOf(y, most));
  return (
    <g class="replica-lane">
      <Scale title="Replicas" frame={frame} y={y} most={most} />
      <path class="area" d={area} />
      <path class="line" d={line} />
      
    </g>
  );
}

function RequestLane({ use, frame, y }: { use: Use; frame: Frame; y: number }) {
  const most = top(Math.max(0, ...use.requests.map((each) => each.rate), ...use.loads.map((each) => each.value)));
  const place = placesOf(y, most);
  const load = paths(between(use.loads, frame.first, frame.end), frame.end, frame.x, place);
  return (
    <g class="request-lane">
      <Scale title="Requests a second" frame={frame} y={y} most={most} />
      {use.requests.map(({ time, until, count, rate }) => {
        if (until < frame.first || time > frame.end) return null;
        return (
          <rect key={time} x={frame.x(time)} width={Math.max(2, frame.x(until) - frame.x(time))} y={place(rate)} height={place(0) - place(rate)}>
            <title>{`${count.toLocaleString("en")} in ${(until - time) / 1_000} s: ${instant(time)}`}</title>
          </rect>
        );
      })}
      <path class="load" d={load.line} />
    </g>
  );
}

/** Return the chart in a sentence or two. */
function summaryOf(use: Use): string {
  const counts = use.replicas.map((each) => each.value);
  const load = use.loads.at(-1);
  const parts = [`Replicas over time: ${counts.at(-1) ?? 0} now, at most ${Math.max(0, ...counts)}.`];
  parts.push(`Requests: ${use.total.toLocaleString("en")}.`);
  if (load !== undefined) parts.push(`Declared load: ${load.text}.`);
  return parts.join(" ");
}

function Table({ use }: { use: Use }) {
  const rows = rowsOf(use);
  const virtual = !planeClock().real;
  return (
    <details>
      <summary>As a table</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of replicas and requests">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{virtual ? "Time of the plane (UTC)" : "Time (UTC)"}</th>
              <th scope="col">Of</th>
              <th scope="col">Number</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MAX_ROWS).map((each, at) => (
              <tr key={at}>
                <td class="number">{instant(each.time)}</td>
                <td>{each.what}</td>
                <td class="number">{each.value}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length > MAX_ROWS && <p class="hint">The newest {MAX_ROWS} of {rows.length.toLocaleString("en")} rows.</p>}
      </div>
    </details>
  );
}
