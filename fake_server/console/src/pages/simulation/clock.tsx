// The clock: how it runs, what time it is, moves of a manual one, and what is to happen.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { useEffect, useRef, useState } from "preact/hooks";
import {
  AdvanceClockRequestSchema,
  type AdvanceClockRequest,
  type GetClockResponse,
} from "../../../gen/flyteapps_control/v1/control_pb";
import { control } from "../../api/clients";
import { clockStore } from "../../api/clock_source";
import { milliseconds } from "../../api/rows";
import { Form, TextField, reason, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { useTick } from "../../components/use_store";
import { duration, inText, moment } from "../../durations";
import { FieldError } from "../../selectors";
import { AppLink, Rows, useText } from "./parts";

/** Timers that fire before the page shows how far a move has come. */
const STEP_TIMERS = 2_000n;
const MODES: Readonly<Record<string, string>> = {
  realtime: "moves with the real time",
  auto: "jumps to the next timer whenever nothing else is to do",
  manual: "stands still until it is advanced",
};

/** The clock as it was read the last time, and what reads it again at once. */
export interface ReadClock {
  value: GetClockResponse | undefined;
  again: () => void;
}

interface ClockProps {
  clock: ReadClock;
}

/** The clock's mode and time, with the moves of a manual one. */
export function ClockStrip({ clock }: ClockProps) {
  const { value } = clock;
  return (
    <section class="clock" aria-label="Clock">
      {value !== undefined && (
        <dl class="pairs">
          <dt>Clock</dt>
          <dd>
            <strong>{value.mode}</strong>
            {value.mode === "realtime" && value.speed !== 1 ? `, ${value.speed} × as fast` : ""}: {MODES[value.mode] ?? ""}
          </dd>
          <dt>Now</dt>
          <dd>
            <Now value={value} />
          </dd>
        </dl>
      )}
      {value?.mode === "manual" && <Moves changed={clock.again} />}
    </section>
  );
}

/** The time, which goes on between two readings where the clock does. */
function Now({ value }: { value: GetClockResponse }) {
  useTick(value.mode === "realtime" ? 250 : 60_000);
  const read = useRef({ value, at: performance.now() });
  if (read.current.value !== value) read.current = { value, at: performance.now() };
  const since = value.mode === "realtime" ? (performance.now() - read.current.at) * value.speed : 0;
  const text = moment((milliseconds(value.now) ?? 0) + since);
  return <time>{value.mode === "realtime" ? text.slice(0, 19) : text} UTC</time>;
}

function Moves({ changed }: { changed: () => void }) {
  const [text, setText] = useText("1m");
  const [progress, setProgress] = useState("");
  const running = useRef<AbortController | undefined>(undefined);
  const action = useAction({ "": /^no timer is pending/, duration: /duration/ });
  const move = async (target: MessageInitShape<typeof AdvanceClockRequestSchema>["target"]): Promise<string> => {
    let rest: AdvanceClockRequest | undefined = create(AdvanceClockRequestSchema, { target: target!, maxTimers: STEP_TIMERS });
    let fired = 0n;
    running.current = new AbortController();
    try {
      while (rest !== undefined) {
        const answer = await control.advanceClock(rest, { signal: running.current.signal });
        fired += answer.fired;
        rest = answer.rest;
        if (rest !== undefined) setProgress(`${fired.toLocaleString("en")} timers fired so far…`);
      }
    } catch (error) {
      if (!running.current.signal.aborted) throw error;
      return `Stopped after ${fired.toLocaleString("en")} timers.`;
    } finally {
      setProgress("");
      changed();
    }
    return `${fired.toLocaleString("en")} timer(s) fired.`;
  };
  const advance = (): Promise<string> => {
    try {
      return move({ case: "duration", value: duration(text) });
    } catch (error) {
      return Promise.reject(new FieldError("duration", reason(error)));
    }
  };
  return (
    <div class="moves">
      <Form action={action} submit="Advance" send={advance}>
        <TextField label="Duration" placeholder="1h30m" value={text} change={setText} error={action.error("duration")} />
      </Form>
      <button
        type="button"
        aria-disabled={action.busy}
        onClick={() => action.run(() => move({ case: "nextTimer", value: true }))}
      >
        To the next event
      </button>
      {action.busy && (
        <>
          <span role="status">{progress}</span>
          <button type="button" onClick={() => running.current?.abort()}>
            Stop
          </button>
        </>
      )}
    </div>
  );
}

/** What is to happen, and when. */
export function Timers({ clock }: ClockProps) {
  const { value } = clock;
  useEffect(() => {
    clockStore.want(SHOWN);
    return () => clockStore.want(0);
  }, []);
  const timers = value?.timers ?? [];
  const now = milliseconds(value?.now) ?? 0;
  const left = Number(value?.timerCount ?? 0n) - timers.length;
  return (
    <>
      <Rows
        label="Pending timers"
        heads={["In", "At (UTC)", "Of", "What happens"]}
        empty="No timer is pending: nothing is to happen by itself."
        error=""
        loaded={value !== undefined && (timers.length > 0 || value.timerCount === 0n)}
        count={timers.length}
      >
        {timers.map((each, index) => (
          <tr key={index}>
            <td>{inText((milliseconds(each.due) ?? 0) - now)}</td>
            <td>{moment(milliseconds(each.due))}</td>
            <td>
              <AppLink app={each.owner} />
            </td>
            <td>
              <Text value={each.reason} />
            </td>
          </tr>
        ))}
      </Rows>
      {timers.length > 0 && left > 0 && <p class="quiet">… and {left.toLocaleString("en")} more.</p>}
    </>
  );
}

/** Timers that are read and drawn. */
const SHOWN = 200;
