// The specs that the app has had, two of them side by side.
import { toJson } from "@bufbuild/protobuf";
import { useMemo, useState } from "preact/hooks";
import { SpecSchema, type Spec } from "../../../gen/flyteidl2/app/app_definition_pb";
import type { AppStore, SpecSeen } from "../../api/app_store";
import { Text } from "../../components/text";
import { sideBySide, type DiffRow } from "../../diff";
import type { Calls } from "./use_calls";

const MAX_ROWS = 1_000;
const SIGNS: Readonly<Record<DiffRow["kind"], [string, string]>> = {
  same: [" ", " "],
  changed: ["−", "+"],
  removed: ["−", " "],
  added: [" ", "+"],
  "left-out": [" ", " "],
};

function linesOf(spec: Spec): string[] {
  try {
    return JSON.stringify(toJson(SpecSchema, spec), undefined, 2).split("\n");
  } catch (error) {
    return [`This spec can't be shown: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** The part of the page about revisions. */
export function Revisions({ store, calls }: { store: AppStore; calls: Calls }) {
  const { specs } = store;
  const [left, setLeft] = useState<string>();
  const [right, setRight] = useState<string>();
  const newer = specs.find((each) => each.label === right) ?? specs.at(-1);
  const older = specs.find((each) => each.label === left) ?? specs[Math.max(0, specs.indexOf(newer!) - 1)];
  const counts = specs.some((each) => each.revision !== 0n);
  return (
    <section class="part" aria-labelledby="revisions">
      <h2 id="revisions">Spec and revisions</h2>
      <p class="hint">
        The plane keeps the newest spec alone. Here are the specs that were seen while this page is open
        {calls.state === "there" ? ", and those in the log of calls" : ""}: others can't be had.
        {!counts && " This plane counts no revisions."}
      </p>
      {newer !== undefined && older !== undefined && (
        <>
          {specs.length > 1 && (
            <div class="row">
              <Choice label="Left" specs={specs} value={older.label} choose={setLeft} />
              <Choice label="Right" specs={specs} value={newer.label} choose={setRight} />
            </div>
          )}
          <Difference left={older} right={newer} />
        </>
      )}
    </section>
  );
}

function Choice({ label, specs, value, choose }: { label: string; specs: SpecSeen[]; value: string; choose: (label: string) => void }) {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {specs.map((each) => (
          <option key={each.label} value={each.label}>
            {titleOf(each)}
          </option>
        ))}
      </select>
    </label>
  );
}

function titleOf(spec: SpecSeen): string {
  return `${spec.revision !== 0n ? `Revision ${spec.label}` : spec.label}${spec.logged ? " (log of calls)" : ""}`;
}

function Difference({ left, right }: { left: SpecSeen; right: SpecSeen }) {
  const rows = useMemo(() => {
    const [old, next] = [linesOf(left.spec), linesOf(right.spec)];
    if (left === right) return next.map((each): DiffRow => ({ kind: "same", left: each, right: each }));
    return sideBySide(old, next);
  }, [left.spec, right.spec]);
  if (left === right) {
    return (
      <details>
        <summary>The spec of {right.revision !== 0n ? `revision ${right.label}` : "the app"}</summary>
        <pre class="code" tabIndex={0}>
          {rows.slice(0, MAX_ROWS).map((each, at) => (
            <div key={at}>
              <Text value={each.right ?? ""} most={1_000} />
            </div>
          ))}
        </pre>
        {rows.length > MAX_ROWS && <p class="hint">The first {MAX_ROWS} of {rows.length.toLocaleString("en")} lines.</p>}
      </details>
    );
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Difference of the specs">
      <table class="diff">
        <thead>
          <tr>
            <th scope="col">{titleOf(left)}</th>
            <th scope="col">{titleOf(right)}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_ROWS).map((row, at) => (
            <tr key={at} class={row.kind}>
              {[row.left, row.right].map((text, side) => (
                <td key={side} class={text === undefined ? "nothing" : undefined}>
                  {text !== undefined && (
                    <>
                      <span class="sign">{SIGNS[row.kind][side]}</span>
                      <Text value={text} most={1_000} />
                    </>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MAX_ROWS && <p class="hint">The first {MAX_ROWS} of {rows.length.toLocaleString("en")} lines.</p>}
    </div>
  );
}
