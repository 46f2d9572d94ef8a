// The source of the simulation's clock in a browser.
import { Code, ConnectError } from "@connectrpc/connect";
import { ClockStore } from "./clock_store";
import { control, explain } from "./clients";
import { session } from "./session";
import { sleep } from "./source";

export const clockStore = new ClockStore({
  async read(maxTimers, signal) {
    await session.start();
    const known = session.current.state !== "starting"; // else the call says why the server can't be reached
    if (known && !(session.hasControl && session.mayControl)) {
      throw new ConnectError("The simulation is for admins.", Code.PermissionDenied);
    }
    return control.getClock({ maxTimers }, { signal });
  },
  now: () => performance.now(),
  sleep,
  explain,
});
