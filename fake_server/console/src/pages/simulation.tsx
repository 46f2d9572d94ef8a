/** The page of the simulation: clock, scenarios, faults, state, calls. */
export function SimulationPage() {
  return (
    <section class="notice">
      <h1>Simulation</h1>
      <p>
        Until there is more here: <code>flyteapps control</code> drives the clock, scenarios and faults.
      </p>
    </section>
  );
}
