// What waits for what: open streams, delayed calls, apps on their way.
import { control } from "../../api/clients";
import { milliseconds } from "../../api/rows";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import type { ReadClock } from "./clock";
import { AppLink, READ_MS, Rows } from "./parts";

const SHOWN = 200;

/** The waits, each with the timer that would end it, or why there is none; read again after a manual clock has moved. */
export function WaitsTab({ clock }: { clock: ReadClock }) {
  const moved = clock.value?.mode === "manual" ? String(milliseconds(clock.value.now)) : "";
  const { value, error } = usePoll((signal) => control.explainWaits({ maxWaits: SHOWN }, { signal }), READ_MS, moved);
  const waits = value?.waits ?? [];
  const more = Number(value?.waitCount ?? 0n) - waits.length;
  return (
    <>
      {value !== undefined && (
        <p>
          <Text value={value.clock} />
        </p>
      )}
      <Rows
        label="Waits"
        heads={["What", "About", "Waits for"]}
        empty="Nothing waits: no stream is open, no call is delayed, and no app is on its way."
        error={error}
        loaded={value !== undefined}
        count={waits.length}
      >
        {waits.map((each, index) => (
          <tr key={index}>
            <td>
              <Text value={each.rpc === "" ? `App, ${each.status}` : (each.rpc.split(".").at(-1) ?? each.rpc)} />
            </td>
            <td>
              <AppLink app={each.subject} />
            </td>
            <td class="long">
              <Text value={each.text} most={1_000} />
            </td>
          </tr>
        ))}
      </Rows>
      {more > 0 && <p class="quiet">… and {more.toLocaleString("en")} more.</p>}
    </>
  );
}
