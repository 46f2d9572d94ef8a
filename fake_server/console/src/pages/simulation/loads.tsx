// Declared loads, which the simulated cluster scales apps to.
import { useState } from "preact/hooks";
import type { Load } from "../../../gen/flyteapps_control/v1/control_pb";
import { control } from "../../api/clients";
import { ChoiceField, Form, Result, TextField, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import { FieldError, selectorOf, selectorText } from "../../selectors";
import { AppField, READ_MS, Rows, useText } from "./parts";

type Kind = "requestsPerSecond" | "concurrentRequests";
const KINDS: readonly (readonly [Kind, string])[] = [
  ["requestsPerSecond", "requests per second"],
  ["concurrentRequests", "concurrent requests"],
];

/** The declared loads. */
export function LoadsTab() {
  const { value, error, again } = usePoll((signal) => control.listLoads({}, { signal }), READ_MS);
  const [app, setApp] = useText();
  const [amount, setAmount] = useText("10");
  const [kind, setKind] = useState<Kind>("requestsPerSecond");
  const action = useAction({ amount: /requests_per_second|concurrent_requests|amount/, app: /\.app\b/ });
  const removal = useAction();
  const set = async (): Promise<string> => {
    const selector = selectorOf(app);
    const number = Number(amount);
    if (amount.trim() === "" || !Number.isFinite(number)) throw new FieldError("amount", "This must be a number, such as 2.5.");
    const load = { amount: { case: kind, value: number }, ...(selector && { app: selector }) } as const;
    const { apps } = await control.setLoad({ load });
    again();
    return `${apps.toLocaleString("en")} app(s) have this load.`;
  };
  const clear = (load: Load | undefined): void =>
    removal.run(async () => {
      const { loads } = await control.clearLoads(load === undefined ? {} : { app: load.app ?? {} });
      again();
      return `${loads.length} load(s) are removed.`;
    });
  const loads = value?.loads ?? [];
  return (
    <>
      <h2>Declare a load</h2>
      <Form action={action} submit="Declare" send={set}>
        <AppField value={app} change={setApp} action={action} />
        <TextField label="Amount" value={amount} change={setAmount} error={action.error("amount")} />
        <ChoiceField label="Of" value={kind} change={(next) => setKind(next as Kind)} options={KINDS} />
      </Form>
      <h2>Declared loads</h2>
      <Rows
        label="Declared loads"
        heads={["Apps", "Load", ""]}
        empty="There is none: apps have the requests that they get."
        error={error}
        loaded={value !== undefined}
        count={loads.length}
      >
        {loads.map((each) => (
          <tr key={selectorText(each.app)}>
            <td>
              <Text value={selectorText(each.app)} />
            </td>
            <td>
              {each.amount.value} {KINDS.find(([name]) => name === each.amount.case)?.[1]}
            </td>
            <td>
              <button type="button" onClick={() => clear(each)} aria-label={`Remove the load of ${selectorText(each.app)}`}>
                Remove
              </button>
            </td>
          </tr>
        ))}
      </Rows>
      <Result action={removal} />
    </>
  );
}
