import assert from "node:assert/strict";
import { test } from "node:test";
import { Status_DeploymentStatus as State, Status_Substate as Substate } from "../gen/flyteidl2/app/app_definition_pb";
import { age, openable, shown, stateLabel } from "../src/format";

test("states are worded as in the Flyte console", () => {
  const cases: [State, Substate, string, string][] = [
    [State.ACTIVE, Substate.RUNNING, "Active", "active"],
    [State.ACTIVE, Substate.SUBSTATE_UNSPECIFIED, "Active", "active"],
    [State.DEPLOYING, Substate.PULLING_IMAGE, "Pending - Pulling Image", "pending"],
    [State.FAILED, Substate.CRASH_LOOP, "Failed - CrashLoopBackOff", "failed"],
    [State.FAILED, Substate.OOM_KILLED, "Failed - OOM Killed", "failed"],
    [State.STOPPED, Substate.SUBSTATE_UNSPECIFIED, "Stopped", "stopped"],
    [State.ACTIVE, Substate.SCALED_TO_ZERO, "Scaled to zero", "idle"],
    [State.ACTIVE, Substate.SCALING_FROM_ZERO, "Active - Scaling from zero", "active"],
  ];
  for (const [state, substate, text, group] of cases) assert.deepEqual(stateLabel(state, substate), { text, group });
});

test("every state and substate of the protos has words, and so have those of a newer plane", () => {
  const numbers = (of: object): number[] => Object.values(of).filter((each) => typeof each === "number");
  for (const state of numbers(State)) {
    for (const substate of numbers(Substate)) assert.doesNotMatch(stateLabel(state, substate).text, /Unknown \(/);
  }
  assert.equal(stateLabel(99, 77).text, "Unknown (99) - Unknown (77)");
});

test("an age has its two largest units", () => {
  const cases: [number | undefined, string][] = [
    [0, "0s"],
    [-5_000, "0s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [3_661_000, "1h 1m"],
    [3_600_000 + 5_000, "1h"],
    [90_000_000, "1d 1h"],
    [undefined, ""],
    [NaN, ""],
  ];
  for (const [milliseconds, text] of cases) assert.equal(age(milliseconds), text);
});

test("a text of others has no invisible characters left, and is cut", () => {
  assert.equal(shown("a\u0000b\u001b[31mc\u007fd"), "a␀b␛[31mc␡d");
  assert.equal(shown("\u202eevil\u2066"), "⟨202E⟩evil⟨2066⟩");
  assert.equal(shown("a\ud800b😀"), "a⟨D800⟩b😀");
  assert.equal(shown("x".repeat(1_000_000), 5), "xxxxx… (1,000,000 characters)");
  assert.equal(shown("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
});

test("only URLs of the web are opened", () => {
  assert.equal(openable("http://localhost:8080/apps/a/"), "http://localhost:8080/apps/a/");
  for (const url of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "/apps/a", "\u0001javascript:x"]) {
    assert.equal(openable(url), undefined, url);
  }
});
