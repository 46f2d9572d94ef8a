// The plane's state: snapshots of it, and a new beginning.
import { useState } from "preact/hooks";
import { control } from "../../api/clients";
import { Confirm } from "../../components/confirm";
import { Form, Result, TextField, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import { READ_MS, Rows, useText } from "./parts";

type Question = { what: "reset" } | { what: "restore"; name: string };

/** Snapshots and the reset; `changed`: what to call after the state has become another one. */
export function StateTab({ changed }: { changed: () => void }) {
  const { value, error, again } = usePoll((signal) => control.listSnapshots({}, { signal }), READ_MS);
  const [name, setName] = useText();
  const [question, setQuestion] = useState<Question | undefined>(undefined);
  const action = useAction({ name: /\bname\b|snapshot/ });
  const outcome = useAction();
  const take = async (): Promise<string> => {
    await control.takeSnapshot({ name: name.trim() });
    again();
    return `The snapshot ${name.trim()} is taken.`;
  };
  const drop = (each: string): void =>
    outcome.run(async () => {
      await control.dropSnapshots({ names: [each] });
      again();
      return "The snapshot is dropped.";
    });
  const answered = (asked: Question, confirmed: boolean): void => {
    setQuestion(undefined);
    if (!confirmed) return;
    outcome.run(async () => {
      if (asked.what === "reset") {
        const { removed } = await control.reset({});
        changed();
        again();
        return `The plane is as new: ${removed.toLocaleString("en")} app(s) are removed.`;
      }
      const { apps } = await control.restoreSnapshot({ name: asked.name });
      changed();
      return `The snapshot is restored, with ${apps.toLocaleString("en")} app(s).`;
    });
  };
  const names = value?.names ?? [];
  return (
    <>
      <h2>Take a snapshot</h2>
      <Form action={action} submit="Take" send={take}>
        <TextField label="Name" placeholder="before-the-upgrade" value={name} change={setName} error={action.error("name")} />
      </Form>
      <h2>Snapshots</h2>
      <Rows
        label="Snapshots"
        heads={["Name", ""]}
        empty="There is none. One is there as long as the server runs."
        error={error}
        loaded={value !== undefined}
        count={names.length}
      >
        {names.map((each) => (
          <tr key={each}>
            <td>
              <Text value={each} />
            </td>
            <td class="actions">
              <button type="button" onClick={() => setQuestion({ what: "restore", name: each })} aria-label={`Restore ${each}`}>
                Restore
              </button>{" "}
              <button type="button" onClick={() => drop(each)} aria-label={`Drop ${each}`}>
                Drop
              </button>
            </td>
          </tr>
        ))}
      </Rows>
      <h2>Begin anew</h2>
      <p>A reset removes all apps, rules, loads, recorded calls and added scenarios. Snapshots stay.</p>
      <p>
        <button type="button" class="danger" onClick={() => setQuestion({ what: "reset" })}>
          Reset the plane…
        </button>
      </p>
      <Result action={outcome} />
      {question?.what === "reset" && (
        <Confirm title="Reset the plane?" yes="Reset" close={(confirmed) => answered(question, confirmed)}>
          <p>All apps are removed, and open streams end. Only a snapshot brings them back.</p>
        </Confirm>
      )}
      {question?.what === "restore" && (
        <Confirm title="Restore the snapshot?" yes="Restore" close={(confirmed) => answered(question, confirmed)}>
          <p>
            All becomes as it was when <Text value={question.name} most={100} /> was taken, and open streams end. What has happened
            since is lost.
          </p>
        </Confirm>
      )}
    </>
  );
}
