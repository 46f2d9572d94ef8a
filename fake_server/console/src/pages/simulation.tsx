// The page of the simulation: the clock above, and a tab for each lever and what it shows.
import { useEffect, useState } from "preact/hooks";
import { clockStore } from "../api/clock_source";
import { session } from "../api/session";
import { useStore } from "../components/use_store";
import { Text } from "../components/text";
import { Link } from "../router";
import { CallsTab } from "./simulation/calls";
import { ClockStrip, Timers } from "./simulation/clock";
import { FaultsTab } from "./simulation/faults";
import { LoadsTab } from "./simulation/loads";
import { ScenariosTab } from "./simulation/scenarios";
import { StateTab } from "./simulation/state";
import { WaitsTab } from "./simulation/waits";

const TABS = [
  ["timers", "Timers"],
  ["waits", "Waits"],
  ["scenarios", "Scenarios"],
  ["faults", "Faults"],
  ["loads", "Loads"],
  ["calls", "Calls"],
  ["state", "State"],
] as const;
type Tab = (typeof TABS)[number][0];

/** The page of the simulation, or why there is none. */
export function SimulationPage() {
  useStore(session);
  const { current } = session;
  if (current.state === "starting") return <p class="notice">Loading…</p>;
  if (!session.hasControl) {
    return (
      <Unavailable>
        The control API of this server is off: <code>--no-control</code>, or a server for other machines without{" "}
        <code>--control</code>.
      </Unavailable>
    );
  }
  if (current.state === "anonymous") {
    return (
      <Unavailable>
        The simulation is for admins of this plane: <Link to="/login">log in</Link>.
      </Unavailable>
    );
  }
  if (!session.mayControl) {
    return (
      <Unavailable>
        The simulation needs the role admin
        {current.state === "person" && (
          <>
            , and <Text value={current.person.subject} /> has the role {current.person.role || "unknown"}
          </>
        )}
        .
      </Unavailable>
    );
  }
  return <Simulation />;
}

function Unavailable({ children }: { children: preact.ComponentChildren }) {
  return (
    <section class="notice">
      <h1>Simulation</h1>
      <p>{children}</p>
    </section>
  );
}

/** Return the tab of the page's address. */
function tabOf(hash: string): Tab {
  return TABS.find(([each]) => `#${each}` === hash)?.[0] ?? "timers";
}

function Simulation() {
  const [tab, setTab] = useState<Tab>(() => tabOf(location.hash));
  useEffect(() => {
    const follow = (): void => setTab(tabOf(location.hash)); // the address was edited
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useStore(clockStore);
  const { connection } = clockStore;
  const clock = { value: clockStore.clock, again: () => clockStore.again() };
  if (connection.state === "refused") {
    return (
      <Unavailable>
        <Text value={connection.message} />
      </Unavailable>
    );
  }
  const choose = (next: Tab): void => {
    setTab(next);
    history.replaceState(history.state, "", `#${next}`);
  };
  const keys = (event: KeyboardEvent): void => {
    const index = TABS.findIndex(([each]) => each === tab);
    const steps: Record<string, number> = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 };
    const step = steps[event.key];
    const next = step !== undefined ? TABS.at(step % TABS.length) : undefined;
    if (next === undefined) return;
    event.preventDefault();
    choose(next[0]);
    document.getElementById(`tab-${next[0]}`)?.focus();
  };
  return (
    <section class="simulation">
      <h1>Simulation</h1>
      <ClockStrip clock={clock} />
      <div class="tabs" role="tablist" aria-label="Parts of the simulation" onKeyDown={keys}>
        {TABS.map(([each, label]) => (
          <button
            key={each}
            type="button"
            role="tab"
            id={`tab-${each}`}
            aria-selected={tab === each}
            aria-controls="panel"
            tabIndex={tab === each ? 0 : -1}
            onClick={() => choose(each)}
          >
            {label}
          </button>
        ))}
      </div>
      <div class="panel" id="panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "timers" && <Timers clock={clock} />}
        {tab === "waits" && <WaitsTab clock={clock} />}
        {tab === "scenarios" && <ScenariosTab />}
        {tab === "faults" && <FaultsTab />}
        {tab === "loads" && <LoadsTab />}
        {tab === "calls" && <CallsTab />}
        {tab === "state" && <StateTab changed={clock.again} />}
      </div>
    </section>
  );
}
