import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../src/api/rows";
import { windowOf } from "../src/components/virtual_rows";
import { DEFAULT_QUERY, fromSearch, selected, toSearch, type Query } from "../src/pages/list_rows";

function row(name: string, part: Partial<Row> = {}): Row {
  return {
    key: `p/d/${name}`, project: "p", domain: "d", name, group: "active", state: "Active", message: "", replicas: 1,
    revision: 1n, url: "", created: 0, ...part,
  };
}

const names = (rows: Row[]): string[] => rows.map((each) => each.name);

test("rows are filtered by words, state and place", () => {
  const rows = [row("web"), row("worker", { group: "failed", state: "Failed - OOM Killed" }), row("other", { domain: "x" })];
  const query = (part: Partial<Query>): Row[] => selected(rows, { ...DEFAULT_QUERY, ...part });
  assert.deepEqual(names(query({})), ["other", "web", "worker"]);
  assert.deepEqual(names(query({ search: " W  oom " })), ["worker"]);
  assert.deepEqual(names(query({ group: "failed" })), ["worker"]);
  assert.deepEqual(names(query({ place: "p/x" })), ["other"]);
});

test("rows are sorted by any column, those that are equal by key", () => {
  const rows = [row("b", { revision: 10n }), row("a", { revision: 10n }), row("c", { revision: 9n, created: 5 })];
  const by = (column: Query["column"], ascending: boolean): string[] =>
    names(selected(rows, { ...DEFAULT_QUERY, column, ascending }));
  assert.deepEqual(by("revision", true), ["c", "a", "b"]);
  assert.deepEqual(by("revision", false), ["a", "b", "c"]);
  assert.deepEqual(by("created", false), ["c", "a", "b"]);
});

test("a query survives in a URL, and nonsense there is ignored", () => {
  const query: Query = { search: "a b&c", group: "failed", place: "p/d", column: "created", ascending: false };
  assert.deepEqual(fromSearch(toSearch(query), ["failed"]), query);
  assert.equal(toSearch(DEFAULT_QUERY), "");
  assert.deepEqual(fromSearch("?state=x&sort=-none&q=", ["failed"]), DEFAULT_QUERY);
});

test("only the rows around the view are drawn", () => {
  assert.deepEqual(windowOf(0, 0, 400), { first: 0, end: 0 });
  assert.deepEqual(windowOf(10_000, 0, 400), { first: 0, end: 18 });
  assert.deepEqual(windowOf(10_000, 200_000, 400), { first: 4_992, end: 5_018 });
  assert.deepEqual(windowOf(5, 200_000, 400), { first: 0, end: 5 });
});
