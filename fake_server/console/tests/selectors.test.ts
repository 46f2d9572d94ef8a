import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultSchema } from "../gen/flyteapps_control/v1/control_pb";
import { duration } from "../src/durations";
import { effectText, matchText } from "../src/pages/simulation/fault_text";
import { selectorOf, selectorText, whole } from "../src/selectors";

test("apps are selected by name, or by project, domain and name", () => {
  for (const [text, shown] of [
    ["", "all apps"],
    [" * ", "all apps"],
    ["web-*", "web-*"],
    ["p/d/n", "p/d/n"],
    ["*/*/n", "n"],
    ["p/*/*", "p/*/*"],
  ]) {
    assert.equal(selectorText(selectorOf(text!)), shown);
  }
  for (const text of ["a/b", "a/b/c/d"]) assert.throws(() => selectorOf(text), /NAME or PROJECT\/DOMAIN\/NAME/);
});

test("a number is whole, or not sent", () => {
  assert.deepEqual(["", " 3 ", "-2"].map((each) => whole("times", each)), [0, 3, -2]);
  for (const text of ["x", "1.5", "1e3", "9999999999", "0x10"]) assert.throws(() => whole("times", text), /whole number/);
});

test("a rule is told in words", () => {
  const rule = create(FaultSchema, {
    rpc: "*",
    app: { name: "web-*" },
    times: 3,
    attempts: { case: "every", value: 2 },
    effect: { case: "delay", value: { distribution: { case: "fixed", value: duration("1.5s") } } },
  });
  assert.equal(matchText(rule), "all RPCs of web-*, every 2, at most 3 times");
  assert.equal(effectText(rule), "is delayed by 1.5s");
  assert.equal(effectText(create(FaultSchema, { effect: { case: "fail", value: { code: "ABORTED", applied: true } } })), "fails with ABORTED, once it is carried out");
  assert.match(effectText(create(FaultSchema, {})), /doesn't know/);
});
