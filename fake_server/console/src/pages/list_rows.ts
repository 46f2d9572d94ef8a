// The choice and order of the list's rows. Pure functions.
import type { Row } from "../api/rows";
import type { Group } from "../format";

export const COLUMNS = ["name", "state", "replicas", "revision", "created"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Query {
  search: string;
  /** "" for all. */
  group: Group | "";
  /** "PROJECT/DOMAIN", "" for all. */
  place: string;
  column: Column;
  ascending: boolean;
}

export const DEFAULT_QUERY: Query = { search: "", group: "", place: "", column: "name", ascending: true };

/** Return the project and domain of a row, as one filters by them. */
export function placeOf(row: Row): string {
  return `${row.project}/${row.domain}`;
}

const VALUES: Readonly<Record<Column, (row: Row) => string | number | bigint>> = {
  name: (row) => row.name,
  state: (row) => row.state,
  replicas: (row) => row.replicas,
  revision: (row) => row.revision,
  created: (row) => row.created ?? 0,
};

/** Compare by code units, many times as fast as by a language's rules, and then by key, so that no row jumps. */
function compared(first: string | number | bigint, second: string | number | bigint): number {
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Return the rows that a query selects, in its order. */
export function selected(rows: Iterable<Row>, query: Query): Row[] {
  const words = query.search.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Row[] = [];
  for (const row of rows) {
    if (query.group !== "" && row.group !== query.group) continue;
    if (query.place !== "" && placeOf(row) !== query.place) continue;
    if (words.length > 0) {
      const text = `${row.key} ${row.state} ${row.url}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
    }
    found.push(row);
  }
  const value = VALUES[query.column];
  const sign = query.ascending ? 1 : -1;
  return found.sort((a, b) => sign * compared(value(a), value(b)) || compared(a.key, b.key));
}

/** Return how many rows there are of each group and of each place. */
export function counts(rows: Iterable<Row>): { groups: Map<Group, number>; places: Map<string, number> } {
  const groups = new Map<Group, number>();
  const places = new Map<string, number>();
  for (const row of rows) {
    groups.set(row.group, (groups.get(row.group) ?? 0) + 1);
    const place = placeOf(row);
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  return { groups, places };
}

/** Return the query in the part of a URL after "?", without what is as usual, so that a list can be linked to. */
export function toSearch(query: Query): string {
  const parts = new URLSearchParams();
  if (query.search !== "") parts.set("q", query.search);
  if (query.group !== "") parts.set("state", query.group);
  if (query.place !== "") parts.set("in", query.place);
  if (query.column !== DEFAULT_QUERY.column || query.ascending !== DEFAULT_QUERY.ascending) {
    parts.set("sort", (query.ascending ? "" : "-") + query.column);
  }
  const text = parts.toString();
  return text === "" ? "" : `?${text}`;
}

/** Return the query of a URL; what it doesn't understand is as usual. */
export function fromSearch(search: string, groups: readonly Group[]): Query {
  const parts = new URLSearchParams(search);
  const sort = parts.get("sort") ?? DEFAULT_QUERY.column;
  const column = COLUMNS.find((each) => each === sort.replace(/^-/, ""));
  return {
    search: parts.get("q") ?? "",
    group: groups.find((each) => each === parts.get("state")) ?? "",
    place: parts.get("in") ?? "",
    column: column ?? DEFAULT_QUERY.column,
    ascending: column === undefined || !sort.startsWith("-"),
  };
}
