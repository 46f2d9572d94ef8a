import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, durationText, inText, moment } from "../src/durations";

test("durations are read as the command line reads them, and written so that they can be read again", () => {
  for (const [text, seconds, nanos] of [
    ["500ms", 0n, 500_000_000],
    ["90s", 90n, 0],
    ["1h30m", 5_400n, 0],
    ["1.5h", 5_400n, 0],
    ["10d", 864_000n, 0],
    ["2d12h", 216_000n, 0],
    ["0s", 0n, 0],
    ["1.064s", 1n, 64_000_000],
    ["36600d", 3_162_240_000n, 0],
  ] as const) {
    const found = duration(` ${text} `);
    assert.deepEqual([found.seconds, found.nanos], [seconds, nanos], text);
    const again = duration(durationText(found));
    assert.deepEqual([again.seconds, again.nanos], [seconds, nanos], durationText(found));
  }
  assert.deepEqual(["1h30m", "1.064s", "50ms", "0s"].map((each) => durationText(duration(each))), ["1h30m", "1.064s", "50ms", "0s"]);
  assert.equal(durationText(undefined), "");
});

test("a text that is no duration is refused, with how to write one", () => {
  for (const text of ["", "5", "-1s", "1x", "s", "1 h", "1h ", "9".repeat(400) + "d", "x".repeat(1_000_000)]) {
    if (text === "1h ") continue; // spaces around are fine
    assert.throws(() => duration(text), /is invalid: write it as "500ms"|over a hundred years/, text.slice(0, 20));
  }
});

test("moments are those of UTC, also ones that no date has", () => {
  assert.equal(moment(1_767_225_600_050), "2026-01-01 00:00:00.050");
  assert.equal(moment(undefined), "");
  assert.equal(moment(1e300), "");
  assert.deepEqual([inText(50), inText(0.2), inText(90_000), inText(-5)], ["50ms", "1ms", "1m 30s", "0s"]);
});
