// Scenarios: which apps have which and why, those that there are, and which apps get one at their next starts.
import { control } from "../../api/clients";
import { Form, Result, TextField, useAction } from "../../components/form";
import { Text } from "../../components/text";
import { usePoll } from "../../components/use_poll";
import { selectorOf, selectorText, whole } from "../../selectors";
import { AppField, AppLink, READ_MS, Rows, useText } from "./parts";

const SHOWN = 200;
const REASONS: Readonly<Record<string, string>> = {
  label: "by its label",
  variable: "by its variable",
  use: "by the use",
  setting: "by --scenario",
  when: "by the condition at",
  then: "after the scenario",
  default: "by default",
};

/** The scenarios of apps, the uses, and the scenarios that there are. */
export function ScenariosTab() {
  const known = usePoll((signal) => control.listScenarios({}, { signal }), READ_MS);
  const given = usePoll((signal) => control.listAppScenarios({ limit: SHOWN }, { signal }), READ_MS);
  const [scenario, setScenario] = useText();
  const [app, setApp] = useText();
  const [times, setTimes] = useText();
  const action = useAction({ scenario: /scenario\b/, times: /times/, app: /app\./ });
  const removal = useAction();
  const use = async (): Promise<string> => {
    const selector = selectorOf(app);
    const request = { scenario: scenario.trim(), times: whole("times", times), ...(selector && { app: selector }) };
    const { use: made } = await control.useScenario(request);
    known.again();
    return `${made?.id}: the next starts of ${selectorText(made?.app)} have ${made?.scenario}.`;
  };
  const remove = (id: string): void =>
    removal.run(async () => {
      await control.removeScenarios({ uses: [id] });
      known.again();
      return `${id} is removed.`;
    });
  const scenarios = known.value?.scenarios ?? [];
  const uses = known.value?.uses ?? [];
  const apps = given.value?.scenarios ?? [];
  const more = Number(given.value?.count ?? 0n) - apps.length;
  return (
    <>
      <h2>Use a scenario at the next starts</h2>
      <Form action={action} submit="Use" send={use}>
        <TextField
          label="Scenario"
          placeholder="crash-loop"
          options={scenarios.map((each) => each.name)}
          value={scenario}
          change={setScenario}
          error={action.error("scenario")}
        />
        <AppField value={app} change={setApp} action={action} />
        <TextField label="Starts" placeholder="all" value={times} change={setTimes} error={action.error("times")} />
      </Form>
      {uses.length > 0 && (
        <Rows label="Uses" heads={["Use", "Scenario", "Apps", "Starts", ""]} empty="" error="" loaded count={uses.length}>
          {uses.map((each) => (
            <tr key={each.id}>
              <td>{each.id}</td>
              <td>
                <Text value={each.scenario} />
              </td>
              <td>
                <Text value={selectorText(each.app)} />
              </td>
              <td>
                {each.applied.toString()}
                {each.times > 0 && ` of ${each.times}`}
              </td>
              <td>
                <button type="button" onClick={() => remove(each.id)} aria-label={`Remove ${each.id}`}>
                  Remove
                </button>
              </td>
            </tr>
          ))}
        </Rows>
      )}
      <Result action={removal} />
      <h2>Scenarios of apps</h2>
      <Rows
        label="Scenarios of apps"
        heads={["App", "Scenario", "Why"]}
        empty="No app has started yet."
        error={given.error}
        loaded={given.value !== undefined}
        count={apps.length}
      >
        {apps.map((each) => (
          <tr key={each.app}>
            <td>
              <AppLink app={each.app} />
            </td>
            <td>
              <Text value={each.scenario} />
            </td>
            <td>
              {REASONS[each.reason] ?? each.reason} <Text value={each.detail} />
            </td>
          </tr>
        ))}
      </Rows>
      {more > 0 && <p class="quiet">… and {more.toLocaleString("en")} more.</p>}
      <h2>Scenarios that there are</h2>
      <Rows
        label="Scenarios"
        heads={["Scenario", "What happens", "From"]}
        empty="There is none."
        error={known.error}
        loaded={known.value !== undefined}
        count={scenarios.length}
      >
        {scenarios.map((each) => (
          <tr key={each.name}>
            <td>
              <button type="button" class="link" onClick={() => setScenario(each.name)} title="Put it into the form above">
                <Text value={each.name} />
              </button>
            </td>
            <td class="long">
              <Text value={each.summary} />
            </td>
            <td>
              <Text value={`${each.origin}, ${each.place}`} />
            </td>
          </tr>
        ))}
      </Rows>
    </>
  );
}
