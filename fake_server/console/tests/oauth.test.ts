import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { codeOf, isOwnPath, loginAddress, newLogin } from "../src/api/oauth";
import { globMatches, mayWrite, personOf } from "../src/api/rights";
import { base64url, sha256 } from "../src/api/sha256";

test("hashes are those of SHA-256, whatever the length", () => {
  for (let length = 0; length < 200; length += 1) {
    const text = randomBytes(length).toString("base64").slice(0, length);
    const expected = createHash("sha256").update(text).digest();
    assert.deepEqual(Buffer.from(sha256(text)), expected);
    assert.equal(base64url(sha256(text)), expected.toString("base64url"));
  }
});

test("a login is sent with a challenge, and to the page's own origin", () => {
  const pending = newLogin("/simulation#faults");
  const fields = new URLSearchParams(loginAddress(pending, "http://host:1").split("?")[1]);
  assert.equal(fields.get("redirect_uri"), "http://host:1/login");
  assert.equal(fields.get("code_challenge"), createHash("sha256").update(pending.verifier).digest("base64url"));
  assert.ok(pending.verifier.length >= 43 && pending.state !== newLogin("/").state);
});

test("an answer counts for the login that was begun, and no other", () => {
  const pending = newLogin("/");
  assert.equal(codeOf("", pending), undefined);
  assert.equal(codeOf(`?code=c&state=${pending.state}`, pending), "c");
  assert.throws(() => codeOf("?code=c&state=other", pending), /no login that was begun/);
  assert.throws(() => codeOf("?code=c", undefined), /no login that was begun/);
  assert.throws(() => codeOf(`?error=access_denied&error_description=no&state=${pending.state}`, pending), /^Error: no$/);
});

test("after a login one goes on at a page of the console, and nowhere else", () => {
  for (const path of ["/", "/simulation#faults", "/?q=a", "/v2/domain/d/project/p/apps/%C3%A4"]) assert.ok(isOwnPath(path), path);
  for (const path of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/\n/evil", "a"]) {
    assert.ok(!isOwnPath(path), path);
    assert.equal(newLogin(path).back, "/");
  }
});

test("globs match as in a shell", () => {
  for (const [glob, text, expected] of [
    ["*", "anything", true],
    ["web-*", "web-1", true],
    ["web-*", "webs", false],
    ["a?c", "abc", true],
    ["[ab]x", "bx", true],
    ["[!ab]x", "bx", false],
    ["[!ab]x", "cx", true],
    ["a.c", "abc", false],
    ["a+(b)", "a+(b)", true],
    ["[", "[", true],
    ["Web", "web", false],
    ["[z-a]", "b", false],
  ] as const) {
    assert.equal(globMatches(glob, text), expected, `${glob} ${text}`);
  }
});

test("a role says who may write", () => {
  const admin = personOf("a", "", { role: "admin", projects: ["*"] });
  const contributor = personOf("c", "C", { role: "contributor", projects: ["web-*"] });
  const viewer = personOf("v", "V", { role: "viewer", projects: ["*"] });
  const unknown = personOf("x", "X", undefined);
  assert.equal(admin.name, "a");
  assert.deepEqual([admin, contributor, viewer, unknown].map((each) => mayWrite(each, "web-1")), [true, true, false, false]);
  assert.ok(!mayWrite(contributor, "other"));
  assert.deepEqual(personOf("x", "", { role: 1, projects: "all" }), { subject: "x", name: "x", role: "", projects: [] });
});
