// Rules for faults: those that there are, with their counts, and a small form for the most used ones.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { useState } from "preact/hooks";
import type { Fault, FaultSchema } from "../../../gen/flyteapps_control/v1/control_pb";
import { control } from "../../api/clients";
import { ChoiceField, Form, Result, TextField, reason, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import { duration } from "../../durations";
import { FieldError, selectorOf, whole } from "../../selectors";
import { AppField, CODES, READ_MS, RPCS, Rows, useText } from "./parts";
import { effectText, matchText } from "./fault_text";

/** The rules for faults. */
export function FaultsTab() {
  const { value, error, again } = usePoll((signal) => control.listFaults({}, { signal }), READ_MS);
  const removal = useAction();
  const faults = value?.faults ?? [];
  const remove = (ids: string[]): void =>
    removal.run(async () => {
      const { faults: removed } = await control.removeFaults({ ids });
      again();
      return removed.length === 1 ? `${removed[0]?.id} is removed.` : `${removed.length} rules are removed.`;
    });
  return (
    <>
      <h2>Add a rule</h2>
      <FaultForm added={again} />
      <h2>Rules</h2>
      <Rows
        label="Rules for faults"
        heads={["Rule", "Calls", "Fault", "Matched", "Applied", ""]}
        empty="There is none: all calls are answered as they should be."
        error={error}
        loaded={value !== undefined}
        count={faults.length}
      >
        {faults.map((each) => (
          <Row key={each.id} fault={each} remove={() => remove([each.id])} />
        ))}
      </Rows>
      {faults.length > 1 && (
        <p>
          <button type="button" onClick={() => remove([])}>
            Remove all
          </button>
        </p>
      )}
      <Result action={removal} />
    </>
  );
}

function Row({ fault, remove }: { fault: Fault; remove: () => void }) {
  return (
    <tr>
      <td>{fault.id}</td>
      <td class="long">
        <Text value={matchText(fault)} />
      </td>
      <td class="long">
        <Text value={effectText(fault)} />
      </td>
      <td>{fault.matched.toString()}</td>
      <td>{fault.applied.toString()}</td>
      <td>
        <button type="button" onClick={remove} aria-label={`Remove ${fault.id}`}>
          Remove
        </button>
      </td>
    </tr>
  );
}

function FaultForm({ added }: { added: () => void }) {
  const [rpc, setRpc] = useText();
  const [app, setApp] = useText();
  const [kind, setKind] = useState<"fail" | "delay">("fail");
  const [code, setCode] = useText("UNAVAILABLE");
  const [time, setTime] = useText("2s");
  const [times, setTimes] = useText();
  const action = useAction({
    rpc: /\.rpc\b|no RPC is called|several services/,
    app: /\.app\b/,
    code: /code/,
    time: /delay|duration/,
    times: /\.times\b/,
  });
  const effect = (): MessageInitShape<typeof FaultSchema>["effect"] => {
    if (kind === "fail") return { case: "fail", value: { code: code.trim() } };
    try {
      return { case: "delay", value: { distribution: { case: "fixed", value: duration(time) } } };
    } catch (error) {
      throw new FieldError("time", reason(error));
    }
  };
  const add = async (): Promise<string> => {
    const selector = selectorOf(app);
    const fault = { rpc: rpc.trim(), times: whole("times", times), effect: effect()!, ...(selector && { app: selector }) };
    const { faults } = await control.addFaults({ faults: [fault] });
    added();
    return `${faults[0]?.id} is added.`;
  };
  return (
    <Form action={action} submit="Add" send={add}>
      <TextField label="RPC" placeholder="Create, or * for all" options={["*", ...RPCS]} value={rpc} change={setRpc} error={action.error("rpc")} />
      <AppField value={app} change={setApp} action={action} />
      <ChoiceField
        label="Fault"
        value={kind}
        change={(next) => setKind(next as "fail" | "delay")}
        options={[
          ["fail", "fails"],
          ["delay", "is delayed"],
        ]}
      />
      {kind === "fail" ? (
        <TextField label="Code" options={CODES} value={code} change={setCode} error={action.error("code")} />
      ) : (
        <TextField label="By" placeholder="500ms" value={time} change={setTime} error={action.error("time")} />
      )}
      <TextField label="Times" placeholder="no limit" value={times} change={setTimes} error={action.error("times")} />
    </Form>
  );
}
