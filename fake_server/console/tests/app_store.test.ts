import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AppSchema, type App } from "../gen/flyteidl2/app/app_definition_pb";
import { WatchResponseSchema, type WatchResponse } from "../gen/flyteidl2/app/app_payload_pb";
import { AppStore, keyOfCondition, type AppSource } from "../src/api/app_store";
import { settled, Stream } from "./streams";

function app(revision: bigint, cluster = "", statuses: number[] = []): App {
  const conditions = statuses.map((deploymentStatus, at) => ({ deploymentStatus, lastTransitionTime: { seconds: BigInt(at) } }));
  return create(AppSchema, { metadata: { id: { name: "a" }, revision }, spec: { cluster }, status: { conditions } });
}

type EventCase = MessageInitShape<typeof WatchResponseSchema>["event"];
const event = (of: NonNullable<EventCase>): WatchResponse => create(WatchResponseSchema, { event: of });
const updated = (of: App, old?: App): WatchResponse => event({ case: "updateEvent", value: old === undefined ? { updatedApp: of } : { updatedApp: of, oldApp: old } });
const created = (of: App): WatchResponse => event({ case: "createEvent", value: { app: of } });
const deleted = (of: App): WatchResponse => event({ case: "deleteEvent", value: { app: of } });

class Plane implements AppSource {
  app: App | undefined;
  streams: Stream<WatchResponse>[] = [];
  refusal: unknown;
  waits: { milliseconds: number; pass(): void }[] = [];

  get(): Promise<App | undefined> {
    return this.refusal !== undefined ? Promise.reject(this.refusal as Error) : Promise.resolve(this.app);
  }

  async *watch(signal: AbortSignal, opened: () => void): AsyncIterable<WatchResponse> {
    if (this.refusal !== undefined) throw this.refusal;
    const stream = new Stream<WatchResponse>(signal);
    this.streams.push(stream);
    opened();
    yield* stream.items();
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      this.waits.push({ milliseconds, pass: resolve });
    });
  }

  explain(error: unknown): string {
    return ConnectError.from(error).rawMessage;
  }

  now(): number {
    return 42;
  }

  async pass(): Promise<number[]> {
    await settled();
    const waits = this.waits.splice(0);
    for (const each of waits) each.pass();
    await settled();
    return waits.map((each) => each.milliseconds);
  }
}

async function started(plane: Plane): Promise<AppStore> {
  const store = new AppStore(plane);
  store.start();
  await settled();
  return store;
}

const labels = (store: AppStore): string[] => store.specs.map((each) => `${each.label}${each.logged ? "*" : ""}`);

test("the app is there at once, and follows its Watch", async () => {
  const plane = new Plane();
  plane.app = app(1n, "", [1]);
  const store = await started(plane);
  assert.deepEqual([store.presence, store.connection.state, store.app?.metadata?.revision], ["there", "live", 1n]);
  const next = app(2n, "c", [1, 2]);
  plane.streams[0]!.send(updated(next));
  await settled();
  assert.equal(store.app?.metadata?.revision, 2n);
  assert.deepEqual(labels(store), ["1", "2"]);
  assert.deepEqual([...store.seenAt.keys()], [keyOfCondition(next.status!.conditions[1]!)], "of those that came later alone");
  store.stop();
  assert.equal(store.connection.state, "paused");
  assert.ok(plane.streams[0]!.signal.aborted);
});

test("a deleted app says so and stays known; one of the same name has its own past", async () => {
  const plane = new Plane();
  plane.app = app(3n);
  const store = await started(plane);
  plane.streams[0]!.send(deleted(app(3n)));
  await settled();
  assert.deepEqual([store.presence, store.app?.metadata?.revision], ["deleted", 3n]);
  plane.streams[0]!.send(created(app(1n, "new")));
  await settled();
  assert.deepEqual([store.presence, labels(store)], ["there", ["1"]]);
  store.stop();
});

test("an app that isn't there is missing, until it is deployed", async () => {
  const plane = new Plane();
  const store = await started(plane);
  assert.deepEqual([store.presence, store.connection.state], ["missing", "live"]);
  plane.streams[0]!.send(created(app(1n)));
  await settled();
  assert.equal(store.presence, "there");
  store.stop();
});

test("a server that restarts is lost, tried again, and followed again; without the app, it is gone", async () => {
  const plane = new Plane();
  plane.app = app(1n);
  const store = await started(plane);
  plane.refusal = new ConnectError("no server", Code.Unavailable);
  plane.streams[0]!.fail(new ConnectError("reset", Code.Unavailable));
  await settled();
  assert.deepEqual(store.connection, { state: "lost", message: "reset", retryMs: 500 });
  assert.equal(store.presence, "there", "what was known stays");
  const delays: number[] = [];
  for (let turn = 0; turn < 6; turn += 1) delays.push(...(await plane.pass()));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  plane.refusal = undefined;
  plane.app = undefined;
  await plane.pass();
  assert.deepEqual([store.presence, store.connection.state], ["deleted", "live"]);
  store.stop();
});

test("a caller without credentials is sent to the login", async () => {
  const plane = new Plane();
  plane.refusal = new ConnectError("no token", Code.Unauthenticated);
  const store = await started(plane);
  assert.deepEqual([store.presence, store.connection], ["loading", { state: "refused", message: "no token", login: true }]);
  store.stop();
});

test("a name that no app can have is missing, and asked for once", async () => {
  const plane = new Plane();
  plane.refusal = new ConnectError("name: does not match", Code.InvalidArgument);
  const store = await started(plane);
  assert.deepEqual([store.presence, store.connection.state, plane.waits.length], ["missing", "idle", 0]);
  store.stop();
});

test("specs of the log of calls stand in order of their revisions, each once", async () => {
  const plane = new Plane();
  plane.app = app(5n);
  const store = await started(plane);
  for (const revision of [3n, 5n, 4n, 3n]) store.addLogged(revision, app(revision).spec!);
  assert.deepEqual(labels(store), ["3*", "4*", "5"]);
  plane.streams[0]!.send(updated(app(7n), app(6n)));
  await settled();
  assert.deepEqual(labels(store), ["3*", "4*", "5", "6", "7"]);
  store.stop();
});

test("a plane that counts no revisions has its specs as they were seen", async () => {
  const plane = new Plane();
  plane.app = app(0n, "one");
  const store = await started(plane);
  for (const cluster of ["one", "two", "two", "one"]) plane.streams[0]!.send(updated(app(0n, cluster)));
  await settled();
  assert.deepEqual(store.specs.map((each) => `${each.label} ${each.spec.cluster}`), ["1st seen one", "2nd seen two", "3rd seen one"]);
  store.stop();
});

test("where too many streams are open, the app is read, until it can be watched", async () => {
  const plane = new Plane();
  plane.app = app(1n);
  const { watch } = plane;
  plane.watch = async function* () {
    throw new ConnectError("too many", Code.ResourceExhausted);
  };
  const store = await started(plane);
  assert.deepEqual(store.connection, { state: "polling", milliseconds: 2_000 });
  const { changes } = store;
  await plane.pass();
  await plane.pass();
  assert.equal(store.changes, changes, "it is as it was");
  plane.app = app(2n);
  await plane.pass();
  await plane.pass();
  assert.deepEqual([store.app?.metadata?.revision, store.connection.state], [2n, "polling"]);
  plane.watch = watch;
  await plane.pass();
  await plane.pass();
  assert.equal(store.connection.state, "live");
  store.stop();
});

test("a renewed stream replaces the one before, and the page stays live", async () => {
  const plane = new Plane();
  plane.app = app(1n);
  const store = new AppStore(plane);
  store.start();
  await settled();
  plane.app = app(2n);
  const states: string[] = [];
  store.subscribe(() => states.push(store.connection.state));
  store.renew();
  await settled();
  assert.deepEqual(plane.streams.map((each) => each.signal.aborted), [true, false]);
  assert.equal(store.app?.metadata?.revision, 2n);
  assert.deepEqual([...new Set(states)], ["live"]);
  plane.streams[1]!.send(updated(app(3n)));
  await settled();
  assert.equal(store.app?.metadata?.revision, 3n);
  store.stop();
  store.renew();
  await settled();
  assert.equal(plane.streams.length, 2, "nothing is opened while the page is hidden");
});
