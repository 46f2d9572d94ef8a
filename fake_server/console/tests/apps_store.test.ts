import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AppSchema, type App } from "../gen/flyteidl2/app/app_definition_pb";
import { ListResponseSchema, WatchResponseSchema, type ListResponse, type WatchResponse } from "../gen/flyteidl2/app/app_payload_pb";
import { AppsStore, type Source } from "../src/api/apps_store";

function app(name: string, revision = 1n): App {
  return create(AppSchema, { metadata: { id: { org: "o", project: "p", domain: "d", name }, revision } });
}

const page = (apps: App[], token = ""): ListResponse => create(ListResponseSchema, { apps, token });
type EventCase = MessageInitShape<typeof WatchResponseSchema>["event"];
const event = (of: NonNullable<EventCase>): WatchResponse => create(WatchResponseSchema, { event: of });
const created = (of: App): WatchResponse => event({ case: "createEvent", value: { app: of } });
const updated = (of: App): WatchResponse => event({ case: "updateEvent", value: { updatedApp: of } });
const deleted = (of: App): WatchResponse => event({ case: "deleteEvent", value: { app: of } });

/** A plane that a test scripts: its Watches end or fail when told, and its waits pass when told. */
class Plane implements Source {
  apps: App[] = [];
  lists = 0;
  watches: { send(each: WatchResponse): void; fail(error: unknown): void; signal: AbortSignal }[] = [];
  waits: { milliseconds: number; pass(): void }[] = [];
  watchError: unknown;

  first(): Promise<ListResponse> {
    return this.list();
  }

  list(): Promise<ListResponse> {
    this.lists += 1;
    return Promise.resolve(page(this.apps));
  }

  async *watch(signal: AbortSignal, opened: () => void): AsyncIterable<WatchResponse> {
    if (this.watchError !== undefined) throw this.watchError;
    const queue: (() => WatchResponse)[] = [];
    let wake = (): void => {};
    const add = (each: () => WatchResponse): void => {
      queue.push(each);
      wake();
    };
    const fail = (error: unknown): void =>
      add(() => {
        throw error;
      });
    signal.addEventListener("abort", () => fail(signal.reason));
    this.watches.push({ send: (each) => add(() => each), fail, signal });
    opened();
    for (;;) {
      while (queue.length > 0) yield queue.shift()!();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      this.waits.push({ milliseconds, pass: resolve });
    });
  }

  now(): number {
    return 0;
  }

  explain(error: unknown): string {
    return ConnectError.from(error).rawMessage;
  }

  /** Let the waits that are there pass, with all that follows. */
  async pass(): Promise<number[]> {
    await settled();
    const waits = this.waits.splice(0);
    for (const each of waits) each.pass();
    await settled();
    return waits.map((each) => each.milliseconds);
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function started(plane: Plane): Promise<AppsStore> {
  const store = new AppsStore(plane);
  store.start();
  await settled();
  return store;
}

const names = (store: AppsStore): string[] => [...store.rows.values()].map((each) => `${each.name}:${each.revision}`).sort();

const stateOf = (store: AppsStore): string => store.connection.state;

test("the first page is there before the Watch, whose events follow", async () => {
  const plane = new Plane();
  plane.apps = [app("a")];
  const store = await started(plane);
  assert.deepEqual(names(store), ["a:1"]);
  assert.equal(store.connection.state, "live");
  const watch = plane.watches[0]!;
  for (const each of [created(app("a")), created(app("b")), updated(app("a", 2n)), deleted(app("b"))]) watch.send(each);
  await settled();
  assert.deepEqual(names(store), ["a:2"]);
  store.stop();
  assert.equal(store.connection.state, "paused");
  assert.ok(watch.signal.aborted);
});

test("a lost connection says so, comes back later and later, and drops what was deleted meanwhile", async () => {
  const plane = new Plane();
  plane.apps = [app("a"), app("b")];
  const store = await started(plane);
  for (const each of plane.apps) plane.watches[0]!.send(created(each));
  await plane.pass();
  plane.apps = [app("b", 2n)];
  plane.watchError = new ConnectError("no server", Code.Unavailable);
  plane.watches[0]!.fail(new ConnectError("reset", Code.Unavailable));
  await settled();
  assert.deepEqual(store.connection, { state: "lost", message: "reset", retryMs: 500 });
  assert.deepEqual(names(store), ["a:1", "b:1"], "what was known stays");
  const delays: number[] = [];
  for (let turn = 0; turn < 6; turn += 1) delays.push(...(await plane.pass()).slice(-1));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  plane.watchError = undefined;
  await plane.pass();
  assert.equal(store.connection.state, "live");
  plane.watches[1]!.send(created(app("b", 2n)));
  while (names(store).length > 1) assert.ok((await plane.pass()).length > 0);
  assert.deepEqual(names(store), ["b:2"]);
  store.stop();
});

test("a list doesn't undo what the Watch has said", async () => {
  const plane = new Plane();
  plane.apps = [app("old"), app("a")];
  const store = await started(plane);
  plane.apps = [app("a")]; // a List that is older than the event that follows
  plane.watches[0]!.send(created(app("a")));
  plane.watches[0]!.send(updated(app("a", 3n)));
  plane.watches[0]!.send(created(app("c")));
  while (store.rows.has("p/d/old")) assert.ok((await plane.pass()).length > 0);
  assert.deepEqual(names(store), ["a:3", "c:1"]);
  store.stop();
});

test("a plane without a Watch of all apps is asked again and again", async () => {
  const plane = new Plane();
  plane.watchError = new ConnectError("only app_id watch target is supported", Code.Unimplemented);
  plane.apps = [app("a")];
  const store = await started(plane);
  assert.equal(store.connection.state, "polling");
  plane.apps = [app("b")];
  assert.deepEqual(await plane.pass(), [2_000]);
  assert.deepEqual(names(store), ["b:1"]);
  store.stop();
});

test("a caller without credentials is sent to the login", async () => {
  const plane = new Plane();
  plane.watchError = new ConnectError("no token", Code.Unauthenticated);
  const store = await started(plane);
  assert.deepEqual(store.connection, { state: "refused", message: "no token", login: true });
  store.stop();
});

test("nothing is asked after a stop, and a second start does nothing", async () => {
  const plane = new Plane();
  const store = await started(plane);
  store.start();
  await settled();
  assert.equal(plane.watches.length, 1);
  store.stop();
  await plane.pass();
  const asked = plane.lists;
  await plane.pass();
  assert.deepEqual([plane.lists, plane.watches.length, store.connection.state], [asked, 1, "paused"]);
});

test("a plane that can be watched after a restart is watched", async () => {
  const plane = new Plane();
  plane.watchError = new ConnectError("only app_id watch target is supported", Code.Unimplemented);
  const store = await started(plane);
  assert.equal(stateOf(store), "polling");
  plane.watchError = undefined;
  const { list } = plane;
  plane.list = () => Promise.reject(new ConnectError("no server", Code.Unavailable));
  await plane.pass();
  assert.equal(stateOf(store), "lost");
  plane.list = list;
  await plane.pass();
  assert.equal(stateOf(store), "live");
  store.stop();
});

test("where too many streams are open, apps are listed, until one can be had", async () => {
  const plane = new Plane();
  plane.watchError = new ConnectError("too many", Code.ResourceExhausted);
  plane.apps = [app("a")];
  const store = await started(plane);
  assert.deepEqual(store.connection, { state: "polling", milliseconds: 2_000 });
  plane.apps = [app("b")];
  assert.deepEqual([await plane.pass(), await plane.pass()], [[2_000], [500]]);
  assert.deepEqual([names(store), stateOf(store)], [["b:1"], "polling"]);
  plane.watchError = undefined;
  await plane.pass();
  await plane.pass();
  assert.deepEqual([stateOf(store), plane.watches.length], ["live", 1]);
  store.stop();
});

test("a List that is refused as often says so", async () => {
  const plane = new Plane();
  plane.watchError = new ConnectError("too many", Code.ResourceExhausted);
  const { list } = plane;
  const store = new AppsStore(plane);
  plane.first = () => list.call(plane);
  plane.list = () => Promise.reject(plane.watchError as Error);
  store.start();
  await settled();
  assert.deepEqual(store.connection, { state: "lost", message: "too many", retryMs: 500 });
  store.stop();
});
