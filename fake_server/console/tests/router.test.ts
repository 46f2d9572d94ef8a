import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf, routeOf } from "../src/router";

test("the SDK's link leads to the app's page, whatever its name", () => {
  for (const name of ["a", "a b", "a/b", "ä", "%2f", "..", "<script>"]) {
    const id = { project: "p", domain: "d", name };
    assert.deepEqual(routeOf(pathOf(id)), { page: "app", ...id });
  }
  assert.deepEqual(routeOf("/v2/domain/d/project/p/apps/a/"), { page: "app", project: "p", domain: "d", name: "a" });
});

test("other paths have their pages, or none", () => {
  assert.deepEqual(routeOf("/"), { page: "list" });
  assert.deepEqual(routeOf("/v2/"), { page: "list" });
  assert.deepEqual(routeOf("/simulation"), { page: "simulation" });
  assert.deepEqual(routeOf("/login"), { page: "login" });
  for (const path of ["/none", "/v2/domain/d/project/p/apps", "/%zz", "/v2/x/d/project/p/apps/a"]) {
    assert.deepEqual(routeOf(path), { page: "unknown", path });
  }
});
