// The difference of two texts by lines, side by side.

export interface DiffRow {
  kind: "same" | "changed" | "removed" | "added" | "left-out";
  left: string | undefined;
  right: string | undefined;
}

/** Lines around a change that are shown. */
const CONTEXT = 3;
/** Lines of each side that are compared one by one; longer differences are shown as one block. */
const MAX_COMPARED = 1_500;

/** Return the rows of a view side by side; what is the same far from any change is one row, "left-out". */
export function sideBySide(left: readonly string[], right: readonly string[]): DiffRow[] {
  return folded(rows(left, right));
}

function rows(left: readonly string[], right: readonly string[]): DiffRow[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const same = (lines: readonly string[]): DiffRow[] => lines.map((each) => ({ kind: "same", left: each, right: each }));
  const middle = compared(left.slice(start, left.length - end), right.slice(start, right.length - end));
  return [...same(left.slice(0, start)), ...middle, ...same(left.slice(left.length - end))];
}

/** Compare by the longest common subsequence of lines. */
function compared(left: readonly string[], right: readonly string[]): DiffRow[] {
  if (left.length > MAX_COMPARED || right.length > MAX_COMPARED) return block(left, right);
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        left[i] === right[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const found: DiffRow[] = [];
  let removed: string[] = [];
  let added: string[] = [];
  const flush = (): void => {
    found.push(...block(removed, added));
    removed = [];
    added = [];
  };
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      flush();
      found.push({ kind: "same", left: left[i], right: right[j] });
      i += 1;
      j += 1;
    } else if (j >= right.length || (i < left.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)) {
      removed.push(left[i]!);
      i += 1;
    } else {
      added.push(right[j]!);
      j += 1;
    }
  }
  flush();
  return found;
}

function block(removed: readonly string[], added: readonly string[]): DiffRow[] {
  return Array.from({ length: Math.max(removed.length, added.length) }, (_, at) => {
    const [left, right] = [removed[at], added[at]];
    return { kind: left === undefined ? "added" : right === undefined ? "removed" : "changed", left, right };
  });
}

function folded(all: readonly DiffRow[]): DiffRow[] {
  const near = new Uint8Array(all.length);
  all.forEach((row, at) => {
    if (row.kind !== "same") near.fill(1, Math.max(0, at - CONTEXT), at + CONTEXT + 1);
  });
  const found: DiffRow[] = [];
  let hidden = 0;
  const flush = (): void => {
    if (hidden === 0) return;
    const text = `${hidden.toLocaleString("en")} ${hidden === 1 ? "line" : "lines"} alike`;
    found.push({ kind: "left-out", left: text, right: text });
    hidden = 0;
  };
  all.forEach((row, at) => {
    if (near[at] === 0) hidden += 1;
    else {
      flush();
      found.push(row);
    }
  });
  flush();
  return found;
}
