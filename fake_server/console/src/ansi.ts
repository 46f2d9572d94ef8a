// The colours of terminals: the escape sequences of a log line, as spans with classes. A line is never read as HTML, and
// sequences that do something else to a terminal (move its cursor, set its title, link) are left out.

export interface Span {
  text: string;
  /** Classes for the style sheet, such as "red bold"; "" for none. */
  style: string;
}

const COLORS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\u001b\[([0-9;:]*)([\u0020-\u002f]*)([\u0040-\u007e])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()][A-Z0-9]|\u001b[=>78cDEHMNOZ]/g;

interface Style {
  text: string | undefined;
  back: string | undefined;
  marks: Set<string>;
}

const MARKS: Readonly<Record<number, string>> = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 9: "struck" };

/** Return the spans of a line, without the escape sequences in it. */
export function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  const style: Style = { text: undefined, back: undefined, marks: new Set() };
  let from = 0;
  const add = (until: number): void => {
    if (until <= from) return;
    const classes = [style.text, style.back !== undefined ? `on-${style.back}` : undefined, ...style.marks];
    spans.push({ text: line.slice(from, until), style: classes.filter((each) => each !== undefined).join(" ") });
  };
  for (const found of line.matchAll(SEQUENCE)) {
    add(found.index);
    from = found.index + found[0].length;
    if (found[3] === "m" && found[2] === "") apply(style, found[1] ?? "");
  }
  add(line.length);
  return spans;
}

/** Return the line without escape sequences. */
export function plain(line: string): string {
  return line.replace(SEQUENCE, "");
}

function apply(style: Style, parameters: string): void {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    const mark = MARKS[code];
    if (code === 0) {
      style.text = style.back = undefined;
      style.marks.clear();
    } else if (mark !== undefined) style.marks.add(mark);
    else if (code === 22) {
      style.marks.delete("bold");
      style.marks.delete("dim");
    } else if (code === 23) style.marks.delete("italic");
    else if (code === 24) style.marks.delete("underline");
    else if (code === 29) style.marks.delete("struck");
    else if (code >= 30 && code <= 37) style.text = COLORS[code - 30];
    else if (code >= 90 && code <= 97) style.text = COLORS[code - 90];
    else if (code === 39) style.text = undefined;
    else if (code >= 40 && code <= 47) style.back = COLORS[code - 40];
    else if (code >= 100 && code <= 107) style.back = COLORS[code - 100];
    else if (code === 49) style.back = undefined;
    else if (code === 38 || code === 48) {
      const indexed = codes[at + 1] === 5;
      const color = indexed ? ofIndex(codes[at + 2] ?? 0) : nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0);
      at += indexed ? 2 : 4;
      if (code === 38) style.text = color;
      else style.back = color;
    }
  }
}

/** Return the colour for one of the 256 of a terminal. */
function ofIndex(index: number): string | undefined {
  if (index < 16) return COLORS[index % 8];
  if (index >= 232) return index < 244 ? "black" : "white";
  const level = (each: number): number => (each % 6) * 51;
  const cube = index - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6)), level(cube));
}

/** Return that of the eight colours which is nearest. */
function nearest(red: number, green: number, blue: number): string | undefined {
  const half = Math.max(red, green, blue, 64) / 2;
  return COLORS[(red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0)];
}
