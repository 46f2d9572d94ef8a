import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { firstDeploys, python, shell, snippets } from "../src/pages/app/snippets";

const HOSTILE = ["a", "a b", "it's", '"', "$(touch x)", "`x`", "\\", "\u202e", "ä\n'", "-rf", "!x", "a\u0007"];

test("a name is one word of a shell, and nothing else", () => {
  for (const name of HOSTILE) assert.equal(execFileSync("bash", ["--norc", "-c", `printf %s ${shell(name)}`], { env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] } }).toString(), name);
});

test("a name is a literal of Python", () => {
  assert.equal(python('a"\\\n\u202e'), '"a\\"\\\\\\n\\u202e"');
});

test("the lines name app, place and endpoint", () => {
  const found = snippets({ name: "hello", project: "p", domain: "d" }, "localhost:8080", true);
  assert.deepEqual(found.map((each) => each.title), ["Flyte SDK", "Flyte CLI", "flyteapps client"]);
  for (const { lines } of found) assert.ok(lines.includes("hello") && lines.includes("localhost:8080"));
  assert.ok(found[1]!.lines.includes("flyte --endpoint dns:///localhost:8080 --insecure get app --project=p --domain=d hello"));
});

test("the lines of a first deploy name the endpoint, and whether it has TLS", () => {
  for (const { lines } of firstDeploys("localhost:8080", true)) assert.match(lines, /localhost:8080", insecure=True/);
  for (const { lines } of firstDeploys("h:1", false)) assert.match(lines, /h:1", insecure=False/);
});
