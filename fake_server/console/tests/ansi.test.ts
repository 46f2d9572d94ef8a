import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, spansOf } from "../src/ansi";

test("colours and marks become classes, until they end", () => {
  const cases: [string, [string, string][]][] = [
    ["plain", [["plain", ""]]],
    ["", []],
    ["\u001b[31mred\u001b[0m not", [["red", "red"], [" not", ""]]],
    ["\u001b[1;42mb\u001b[22mc\u001b[49md", [["b", "on-green bold"], ["c", "on-green"], ["d", ""]]],
    ["\u001b[94ma\u001b[39mb\u001b[4mc\u001b[24md", [["a", "blue"], ["b", ""], ["c", "underline"], ["d", ""]]],
    ["\u001b[38;5;196ma\u001b[38;2;0;200;10mb\u001b[38;5;9mc\u001b[48;5;255md", [["a", "red"], ["b", "green"], ["c", "red"], ["d", "red on-white"]]],
    ["\u001b[mx", [["x", ""]]],
  ];
  for (const [line, spans] of cases) assert.deepEqual(spansOf(line), spans.map(([text, style]) => ({ text, style })), line);
});

test("what does something to a terminal is left out, and HTML stays text", () => {
  for (const [line, text] of [
    ["\u001b[2J\u001b[1;1Ha\u001b]0;title\u0007b", "ab"],
    ["\u001b]8;;javascript:alert(1)\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["\u001b[31;evil\"><b>m", "\u001b[31;evil\"><b>m".replace("\u001b[31;e", "")],
    ["a\u001b[", "a\u001b["],
  ] as const) {
    assert.equal(plain(line), text);
    assert.equal(spansOf(line).map((each) => each.text).join(""), text);
  }
});

test("classes are of the known ones, whatever the numbers", () => {
  const known = /^(?:(?:on-)?(?:black|red|green|yellow|blue|magenta|cyan|white)|bold|dim|italic|underline|struck| )*$/;
  for (let code = 0; code < 300; code += 1) {
    for (const sequence of [`${code}`, `38;5;${code}`, `48;2;${code};0;999`, `38;${code}`, `${code};;1`]) {
      for (const { style } of spansOf(`\u001b[${sequence}mx`)) assert.match(style, known);
    }
  }
});
