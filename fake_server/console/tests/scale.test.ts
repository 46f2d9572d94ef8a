import assert from "node:assert/strict";
import { test } from "node:test";
import { bounds, newestStart, piecesOf, ticks, usualRange } from "../src/pages/app/scale";

test("pieces last until the next time, the last one on", () => {
  assert.deepEqual(piecesOf([10, 20, 15]), [
    { from: 10, until: 20 },
    { from: 20, until: 20 },
    { from: 20, until: undefined },
  ]);
  assert.deepEqual(piecesOf([]), []);
});

test("what is drawn begins where the range does, and is never empty", () => {
  const pieces = piecesOf([1_000, 4_000, 11_000]);
  assert.deepEqual(bounds(pieces, 60_000, "all", 4_000), [1_000, 60_000]);
  assert.deepEqual(bounds(pieces, 60_000, "changes", 4_000), [1_000, 12_500]);
  assert.deepEqual(bounds(pieces, 60_000, "start", 4_000), [4_000, 12_050]);
  assert.deepEqual(bounds(pieces, 11_000, "changes", 4_000), [1_000, 11_000]);
  assert.deepEqual(bounds([], 5, "all", 5), [5, 6]);
});

test("an app that has been as it is for long is first shown until its last change", () => {
  assert.equal(usualRange(piecesOf([0, 1_000]), 5_000), "all");
  assert.equal(usualRange(piecesOf([0, 1_000]), 50_000), "changes");
  assert.equal(usualRange(piecesOf([0]), 50_000), "all");
});

test("marks of the axis are round and few", () => {
  assert.deepEqual(ticks(5_000, 6), [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
  for (const length of [1, 999, 60_000, 86_400_000, 3e12]) {
    const found = ticks(length, 8);
    assert.ok(found.length >= 1 && found.length <= 9, `${length}: ${found.length}`);
  }
});

test("the newest start is where states begin to be pending again", () => {
  assert.equal(newestStart(["pending", "pending", "active"]), 0);
  assert.equal(newestStart(["pending", "active", "stopped", "pending", "pending", "failed", "failed"]), 3);
  assert.equal(newestStart(["stopped"]), 0);
});
