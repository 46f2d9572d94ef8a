import assert from "node:assert/strict";
import { test } from "node:test";
import { sideBySide } from "../src/diff";

const rows = (left: string, right: string): string[] =>
  sideBySide(left.split(""), right.split("")).map((each) => `${each.kind}:${each.left ?? ""}|${each.right ?? ""}`);

test("changed, removed and added lines stand beside their places", () => {
  assert.deepEqual(rows("abc", "abc"), ["left-out:3 lines alike|3 lines alike"]);
  assert.deepEqual(rows("abc", "axc"), ["same:a|a", "changed:b|x", "same:c|c"]);
  assert.deepEqual(rows("ab", "abc"), ["same:a|a", "same:b|b", "added:|c"]);
  assert.deepEqual(rows("xab", "ab"), ["removed:x|", "same:a|a", "same:b|b"]);
  assert.deepEqual(rows("abcd", "bXd"), ["removed:a|", "same:b|b", "changed:c|X", "same:d|d"]);
});

test("what is alike far from a change is folded", () => {
  const found = rows("abcdefghij", "abcdefghiX");
  assert.deepEqual(found, ["left-out:6 lines alike|6 lines alike", "same:g|g", "same:h|h", "same:i|i", "changed:j|X"]);
});

test("each side has all of its lines, in order", () => {
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647);
  const text = (): string[] => Array.from({ length: random() % 12 }, () => "abc"[random() % 3]!);
  for (let turn = 0; turn < 500; turn += 1) {
    const [left, right] = [text(), text()];
    const found = sideBySide(left, right).filter((each) => each.kind !== "left-out");
    const hidden = sideBySide(left, right).some((each) => each.kind === "left-out");
    if (hidden) continue;
    assert.deepEqual(found.flatMap((each) => each.left ?? []), left);
    assert.deepEqual(found.flatMap((each) => each.right ?? []), right);
    for (const each of found) assert.equal(each.kind === "same", each.left === each.right);
  }
});

test("long differences are one block", () => {
  const side = (of: string): string[] => Array.from({ length: 100_000 }, (_, at) => `${of}${at}`);
  assert.equal(sideBySide(side("a"), side("b")).length, 100_000);
});
