import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppUsageSchema } from "../gen/flyteapps_control/v1/control_pb";
import { between, changesOf, paths, rowsOf, top, useOf } from "../src/pages/app/use";

const at = (seconds: number): { seconds: bigint } => ({ seconds: BigInt(seconds) });
const USE = useOf(
  create(AppUsageSchema, {
    since: at(100),
    replicas: [
      { time: at(100), replicas: 0 },
      { time: at(101), replicas: 3 },
    ],
    loads: [
      { time: at(100) },
      { time: at(110), load: { amount: { case: "concurrentRequests", value: 20 } } },
    ],
    requests: [
      { time: at(120), span: at(1), requests: 7n },
      { time: at(128), span: at(4), requests: 2n },
    ],
  }),
);

test("a message becomes numbers, with requests as rates", () => {
  assert.equal(USE.since, 100_000);
  assert.deepEqual(USE.requests.map(({ until, rate }) => [until, rate]), [[121_000, 7], [132_000, 0.5]]);
  assert.equal(USE.total, 9);
  assert.deepEqual(USE.loads.map((each) => each.text), ["none", "20 requests at the same time"]);
  assert.deepEqual(changesOf(USE), [100_000, 101_000, 110_000, 120_000, 121_000, 128_000, 132_000]);
});

test("the top of a scale is round", () => {
  assert.deepEqual([0, 1, 3, 5, 7, 11, 41, 1_000, 1_001].map(top), [1, 1, 4, 5, 10, 20, 50, 1_000, 2_000]);
});

test("levels that hold before the first time are drawn from it on", () => {
  const levels = [{ time: 1, value: 5 }, { time: 4, value: 6 }, { time: 9, value: 7 }];
  assert.deepEqual(between(levels, 2, 8), [{ time: 2, value: 5 }, { time: 4, value: 6 }]);
  assert.deepEqual(between(levels, 0, 3), [{ time: 1, value: 5 }]);
});

test("steps go to the right, then up or down, and end where the drawing does", () => {
  const same = (value: number): number => value;
  const { line, area } = paths([{ time: 1, value: 5 }, { time: 4, value: 6 }], 9, same, same);
  assert.equal(line, "M1.0 5.0H4.0V6.0H9.0");
  assert.equal(area, "M1.0 5.0H4.0V6.0H9.0V0.0H1.0Z");
  assert.equal(paths([], 9, same, same).line, "");
});

test("rows begin with the newest", () => {
  const rows = rowsOf(USE);
  assert.deepEqual(rows[0], { time: 128_000, what: "Requests", value: "2 in 4 s" });
  assert.deepEqual(rows.map((each) => each.time), [...rows.map((each) => each.time)].sort((one, other) => other - one));
  assert.equal(rows.length, 6);
});
