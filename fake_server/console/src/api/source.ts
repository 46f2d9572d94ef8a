// The store's source in a browser: the clients, timers, and whether the page is seen.
import { create } from "@bufbuild/protobuf";
import { ListRequestSchema, WatchRequestSchema } from "../../gen/flyteidl2/app/app_payload_pb";
import { Sort_Direction } from "../../gen/flyteidl2/common/list_pb";
import { AppsStore, type Source } from "./apps_store";
import { apps, explain } from "./clients";
import { server } from "./server";
import { inSlot } from "./slots";

/** Apps that are shown before all others have arrived: more than fit on a screen. */
const FIRST_APPS = 100;
/** Apps on a page of a List: the most that a plane returns. */
const PAGE_APPS = 1_000;

/** Wait; reject once the signal is aborted. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Time after which a stream without a head of an answer is taken as open, if the server answers others. */
const HEAD_MS = 500;

/**
 * Return what to call with the head of a stream's answer. It calls `opened`, once; also where no head comes, since some
 * servers send it with the first message, and the server answers another call.
 */
export function whenOpen(signal: AbortSignal, opened: () => void): () => void {
  let done = false;
  const once = (): void => {
    if (done || signal.aborted) return;
    done = true;
    opened();
  };
  sleep(HEAD_MS, signal)
    .then(() => (done ? undefined : server(signal)))
    .then(once)
    .catch(() => undefined); // the stream is over, or will fail
  return once;
}

const source: Source = {
  first(signal) {
    const sort = { key: "name", direction: Sort_Direction.ASCENDING };
    return apps.list(create(ListRequestSchema, { request: { limit: FIRST_APPS, sortByFields: [sort] } }), { signal });
  },
  list(token, signal) {
    return apps.list(create(ListRequestSchema, { request: { limit: PAGE_APPS, token } }), { signal });
  },
  async *watch(signal, opened) {
    const { org } = await server(signal);
    const request = create(WatchRequestSchema, { target: { case: "org", value: org } });
    yield* inSlot(() => apps.watch(request, { signal, onHeader: whenOpen(signal, opened) }));
  },
  sleep,
  explain,
  now: () => performance.now(),
};

export const appsStore = new AppsStore(source);

/** How often a page that is seen looks at the time. */
const LOOK_MS = 10_000;
/** A longer time without a look is a sleep of the machine: streams may have ended by then without a sign. */
const ASLEEP_MS = 60_000;

/**
 * Call `start` while the page is seen and `stop` while it is hidden, both after the machine slept or its network was gone;
 * return a function that ends both.
 */
export function whileVisible(start: () => void, stop: () => void): () => void {
  let looked = Date.now();
  const update = (): void => {
    looked = Date.now();
    if (document.visibilityState === "hidden") stop();
    else start();
  };
  const again = (): void => {
    if (document.visibilityState === "hidden") return;
    stop();
    update();
  };
  const timer = setInterval(() => {
    if (Date.now() - looked > ASLEEP_MS) again();
    looked = Date.now();
  }, LOOK_MS);
  document.addEventListener("visibilitychange", update);
  addEventListener("online", again);
  update();
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", update);
    removeEventListener("online", again);
    stop();
  };
}
