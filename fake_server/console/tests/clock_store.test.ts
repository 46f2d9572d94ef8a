import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { GetClockResponseSchema, type GetClockResponse } from "../gen/flyteapps_control/v1/control_pb";
import { ClockStore, type ClockSource } from "../src/api/clock_store";
import { Network, Pace } from "../src/api/pace";
import { settled } from "./streams";

class Plane implements ClockSource {
  asked: number[] = [];
  waits: { milliseconds: number; pass(): void }[] = [];
  refusal: unknown;
  /** Milliseconds that each read takes. */
  takes = 1;
  #now = 0;

  read(maxTimers: number): Promise<GetClockResponse> {
    this.asked.push(maxTimers);
    this.#now += this.takes;
    if (this.refusal !== undefined) return Promise.reject(this.refusal as Error);
    return Promise.resolve(create(GetClockResponseSchema, { mode: "manual", timerCount: BigInt(this.asked.length) }));
  }

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      this.waits.push({ milliseconds, pass: resolve });
    });
  }

  explain(error: unknown): string {
    return ConnectError.from(error).rawMessage;
  }

  /** Let the time of all waits pass; return how long they were. */
  async pass(): Promise<number[]> {
    await settled();
    const waits = this.waits.splice(0);
    for (const each of waits) each.pass();
    await settled();
    return waits.map((each) => each.milliseconds);
  }
}

test("the clock is read every two seconds, without timers where none are drawn", async () => {
  const plane = new Plane();
  const store = new ClockStore(plane);
  store.start();
  assert.deepEqual([await plane.pass(), await plane.pass()], [[2_000], [2_000]]);
  assert.deepEqual([plane.asked, store.connection], [[0, 0, 0], { state: "polling", milliseconds: 2_000 }]);
  store.stop();
});

test("timers are read as soon as they are wanted, and no more once they aren't", async () => {
  const plane = new Plane();
  const store = new ClockStore(plane);
  store.start();
  await settled();
  store.want(200);
  await settled();
  assert.deepEqual(plane.asked, [0, 200]);
  store.want(0);
  await settled();
  await plane.pass();
  assert.deepEqual(plane.asked, [0, 200, 0]);
  store.stop();
});

test("a move is seen at once, also one that ends while the clock is read", async () => {
  const plane = new Plane();
  const store = new ClockStore(plane);
  store.start();
  store.again(); // the first read is under way
  await settled();
  assert.deepEqual(plane.asked, [0, 0]);
  store.again();
  await settled();
  assert.equal(plane.asked.length, 3);
  store.stop();
});

test("a hidden page reads nothing, and goes on when it is seen", async () => {
  const plane = new Plane();
  const store = new ClockStore(plane);
  store.start();
  await settled();
  store.stop();
  assert.deepEqual([await plane.pass(), plane.asked.length, store.connection], [[2_000], 1, { state: "paused" }]);
  store.again();
  store.want(200);
  await settled();
  assert.equal(plane.asked.length, 1);
  store.start();
  await settled();
  assert.deepEqual(plane.asked, [0, 200]);
  store.stop();
});

test("a failure is shown, the clock stays, and is read again later", async () => {
  const plane = new Plane();
  const store = new ClockStore(plane);
  store.start();
  await settled();
  plane.refusal = new ConnectError("gone", Code.Unavailable);
  await plane.pass();
  assert.deepEqual([store.connection, store.clock?.mode], [{ state: "lost", message: "gone", retryMs: 500 }, "manual"]);
  plane.refusal = undefined;
  assert.deepEqual(await plane.pass(), [500]);
  assert.deepEqual(store.connection, { state: "polling", milliseconds: 2_000 });
  store.stop();
});

test("what takes long is read less often, but for a single slow read, and for the time of the network", () => {
  const network = new Network();
  network.answered(40);
  const pace = new Pace(2_000, network);
  const took = [130, 41, 45, 130, 130, 940, 940];
  assert.deepEqual(took.map((each) => pace.pause(each)), [2_000, 2_000, 2_000, 2_000, 9_000, 9_000, 20_000]);
});
