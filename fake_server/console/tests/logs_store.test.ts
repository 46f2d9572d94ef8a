import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { TailLogsResponseSchema, type TailLogsResponse } from "../gen/flyteidl2/app/app_logs_payload_pb";
import { LogsStore, MAX_LINES, type LogsSource } from "../src/api/logs_store";
import { settled, Stream } from "./streams";

/** A message with lines of one replica, each "SECONDS text". */
function lines(replica: string, ...texts: string[]): TailLogsResponse {
  const structuredLines = texts.map((each) => {
    const [seconds, ...message] = each.split(" ");
    return { timestamp: { seconds: BigInt(seconds!) }, message: message.join(" ") };
  });
  return create(TailLogsResponseSchema, { resp: { case: "batches", value: { logs: [{ replicaId: { name: replica }, structuredLines }] } } });
}

class Plane implements LogsSource {
  streams: Stream<TailLogsResponse>[] = [];
  refusal: unknown;
  waits: { milliseconds: number; pass(): void }[] = [];

  async *tail(signal: AbortSignal): AsyncIterable<TailLogsResponse> {
    if (this.refusal !== undefined) throw this.refusal;
    const stream = new Stream<TailLogsResponse>(signal);
    this.streams.push(stream);
    yield* stream.items();
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

  async pass(): Promise<number[]> {
    await settled();
    const waits = this.waits.splice(0);
    for (const each of waits) each.pass();
    await settled();
    return waits.map((each) => each.milliseconds);
  }
}

async function started(plane: Plane): Promise<LogsStore> {
  const store = new LogsStore(plane);
  store.start();
  await settled();
  return store;
}

const texts = (store: LogsStore): string[] => store.lines.map((each) => each.text);

test("lines are added as they come, with their replicas", async () => {
  const plane = new Plane();
  const store = await started(plane);
  plane.streams[0]!.send(create(TailLogsResponseSchema, { resp: { case: "replicas", value: { replicas: [{ name: "r1" }, { name: "r2" }] } } }));
  plane.streams[0]!.send(lines("r1", "1 a", "1 b", "2 c"));
  plane.streams[0]!.send(lines("r2", "1 d"));
  await settled();
  assert.deepEqual(texts(store), ["a", "b", "c", "d"]);
  assert.deepEqual([...store.replicas], ["r1", "r2"]);
  assert.equal(store.connection.state, "following");
  store.stop();
  assert.ok(plane.streams[0]!.signal.aborted);
});

test("a stream that repeats what was there adds what is new alone", async () => {
  const plane = new Plane();
  const store = await started(plane);
  plane.streams[0]!.send(lines("r1", "1 a", "2 b", "2 b"));
  plane.streams[0]!.end();
  await settled();
  assert.equal(store.connection.state, "ended");
  await plane.pass();
  plane.streams[1]!.send(lines("r1", "1 a", "2 b", "2 b", "2 b2", "3 c"));
  plane.streams[1]!.send(lines("r2", "1 x"));
  await settled();
  assert.deepEqual(texts(store), ["a", "b", "b", "b2", "c", "x"]);
  store.stop();
});

test("an ended log is asked for less and less often, and soon after the app changes", async () => {
  const plane = new Plane();
  plane.refusal = new ConnectError("has never started", Code.NotFound);
  const store = await started(plane);
  assert.deepEqual(store.connection, { state: "ended", message: "has never started" });
  const delays: number[] = [];
  for (let turn = 0; turn < 8; turn += 1) delays.push(...(await plane.pass()));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  plane.refusal = undefined;
  plane.waits = [];
  store.stir();
  assert.deepEqual(await plane.pass(), [500]);
  assert.equal(plane.streams.length, 1);
  store.stop();
});

test("other failures say so", async () => {
  const plane = new Plane();
  plane.refusal = new ConnectError("no server", Code.Unavailable);
  const store = await started(plane);
  assert.deepEqual(store.connection, { state: "lost", message: "no server" });
  store.stop();
});

test("the newest lines are kept, cut to a length", async () => {
  const plane = new Plane();
  const store = await started(plane);
  plane.streams[0]!.send(lines("r", ...Array.from({ length: 2 * MAX_LINES }, (_, at) => `${at} ${at}`)));
  plane.streams[0]!.send(lines("r", `99999 ${"x".repeat(1_000_000)}`));
  await settled();
  assert.deepEqual([store.lines.length, store.dropped], [MAX_LINES, MAX_LINES + 1]);
  assert.match(texts(store).at(-1)!, /^x{4000}… \(1,000,000 characters\)$/);
  assert.equal(store.lines.at(-1)!.number, 2 * MAX_LINES + 1);
  store.stop();
});
