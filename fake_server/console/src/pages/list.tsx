// The list of all apps.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { planeNow, readClock } from "../api/clock";
import type { Row } from "../api/rows";
import { appsStore } from "../api/source";
import { Badge } from "../components/badge";
import { Copy } from "../components/copy";
import { Text } from "../components/text";
import { useStore, useTick } from "../components/use_store";
import { ROW_PIXELS, useWindow } from "../components/virtual_rows";
import { GROUPS, age, openable, shown, type Group } from "../format";
import { Link, pathOf } from "../router";
import { firstDeploys } from "./app/snippets";
import { COLUMNS, counts, fromSearch, placeOf, selected, toSearch, type Column, type Query } from "./list_rows";

const TITLES: Readonly<Record<Column, string>> = {
  name: "Name",
  state: "State",
  replicas: "Replicas",
  revision: "Revision",
  created: "Age",
};

/** The page of the list. */
export function ListPage() {
  const version = useStore(appsStore, 250);
  const [query, setQuery] = useState<Query>(() => fromSearch(location.search, GROUPS.map((each) => each.group)));
  const change = (part: Partial<Query>): void => {
    const next = { ...query, ...part };
    setQuery(next);
    history.replaceState(null, "", location.pathname + toSearch(next));
  };
  const rows = useMemo(() => selected(appsStore.rows.values(), query), [version, query]);
  const { groups, places } = useMemo(() => counts(appsStore.rows.values()), [version]);
  useClock(version);
  const total = appsStore.rows.size;
  return (
    <section class="list">
      <div class="heading">
        <h1>Apps</h1>
        <p class="count" aria-live="polite">
          {rows.length === total ? total.toLocaleString("en") : `${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")}`}
          {appsStore.loaded ? "" : " so far"}
        </p>
      </div>
      <Filters query={query} change={change} groups={groups} places={places} />
      {total === 0 ? <Empty /> : <Table rows={rows} query={query} change={change} />}
    </section>
  );
}

/** Read the plane's clock, again after changes, as a clock that is not real moves with them. */
function useClock(version: number): void {
  useTick(1_000);
  const read = useRef(-Infinity);
  useEffect(() => {
    if (performance.now() - read.current < 2_000) return;
    read.current = performance.now();
    void readClock(AbortSignal.timeout(5_000));
  }, [version]);
}

interface FiltersProps {
  query: Query;
  change: (part: Partial<Query>) => void;
  groups: Map<Group, number>;
  places: Map<string, number>;
}

const MAX_PLACES = 500;

function Filters({ query, change, groups, places }: FiltersProps) {
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, []);
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <span class="hidden">Search</span>
        <input
          ref={search}
          type="search"
          placeholder="Search: name, project, state  ( / )"
          value={query.search}
          maxLength={500}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => change({ search: event.currentTarget.value })}
        />
      </label>
      <label>
        <span class="hidden">State</span>
        <select value={query.group} onChange={(event) => change({ group: event.currentTarget.value as Group | "" })}>
          <option value="">All states</option>
          {GROUPS.filter((each) => groups.has(each.group) || each.group === query.group).map(({ group, label }) => (
            <option key={group} value={group}>
              {label} ({groups.get(group) ?? 0})
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="hidden">Project and domain</span>
        <select value={query.place} onChange={(event) => change({ place: event.currentTarget.value })}>
          <option value="">All projects</option>
          {query.place !== "" && !places.has(query.place) && <option value={query.place}>{shown(query.place, 60)} (0)</option>}
          {[...places]
            .sort()
            .slice(0, MAX_PLACES)
            .map(([place, count]) => (
              <option key={place} value={place}>
                {shown(place, 60)} ({count})
              </option>
            ))}
        </select>
      </label>
    </form>
  );
}

function Empty() {
  if (!appsStore.loaded) return <p class="notice">Loading…</p>;
  return (
    <section class="notice">
      <h2>There are no apps yet</h2>
      <p>Deploy one, and it appears here by itself:</p>
      {firstDeploys(location.host, location.protocol === "http:").map(({ title, lines }, at) => (
        <details key={title} open={at === 0}>
          <summary>{title}</summary>
          <Copy text={lines} of={`the lines of the ${title}`} />
          <pre class="code" tabIndex={0} role="region" aria-label={title}>
            <bdi>{lines}</bdi>
          </pre>
        </details>
      ))}
    </section>
  );
}

interface TableProps {
  rows: Row[];
  query: Query;
  change: (part: Partial<Query>) => void;
}

/** The table, of which only those rows are drawn that are seen; it says how many there are. */
function Table({ rows, query, change }: TableProps) {
  const scrolled = useRef<HTMLDivElement>(null);
  const wanted = useRef<number | undefined>(undefined);
  const { first, end } = useWindow(scrolled, rows.length);
  const drawn = rows.slice(first, end);
  const focusRow = (index: number): boolean => {
    const link = scrolled.current?.querySelector<HTMLElement>(`tr[aria-rowindex="${index + 2}"] a`);
    link?.focus({ preventScroll: true });
    return link !== null && link !== undefined;
  };
  useEffect(() => {
    if (wanted.current !== undefined && focusRow(wanted.current)) wanted.current = undefined;
  });
  const move = (event: KeyboardEvent): void => {
    const element = scrolled.current;
    const row = (event.target as HTMLElement).closest("tbody tr");
    if (element === null || row === null) return;
    const page = Math.max(1, Math.floor(element.clientHeight / ROW_PIXELS) - 2);
    const index = Number(row.getAttribute("aria-rowindex")) - 2;
    const targets: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: rows.length - 1,
    };
    const target = targets[event.key];
    if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(rows.length - 1, target));
    const top = next * ROW_PIXELS;
    const view = element.clientHeight - 2 * ROW_PIXELS; // without the head
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + view) element.scrollTop = top - view;
    if (!focusRow(next)) wanted.current = next;
  };
  return (
    <div class="table" ref={scrolled} onKeyDown={move} tabIndex={-1}>
      <table aria-rowcount={rows.length + 1} aria-label="Apps">
        <thead>
          <tr aria-rowindex={1}>
            {COLUMNS.slice(0, 4).map((column) => (
              <Head key={column} column={column} query={query} change={change} />
            ))}
            <th scope="col" class="endpoint">
              Endpoint
            </th>
            <Head column="created" query={query} change={change} />
          </tr>
        </thead>
        <tbody>
          <Space rows={first} />
          {drawn.map((row, index) => (
            <AppRow key={row.key} row={row} index={first + index} />
          ))}
          <Space rows={rows.length - end} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="notice">No app matches.</p>}
    </div>
  );
}

/** The height of the rows that aren't drawn. */
function Space({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true" class="space">
      <td style={{ height: `${rows * ROW_PIXELS}px` }} />
    </tr>
  );
}

interface HeadProps {
  column: Column;
  query: Query;
  change: (part: Partial<Query>) => void;
}

function Head({ column, query, change }: HeadProps) {
  const sorted = query.column === column;
  // of ages, the order of what one reads is the reverse of that of times
  const up = column === "created" ? !query.ascending : query.ascending;
  return (
    <th scope="col" class={column} aria-sort={sorted ? (up ? "ascending" : "descending") : "none"}>
      <button
        type="button"
        onClick={() => change({ column, ascending: sorted ? !query.ascending : column !== "created" })}
      >
        {TITLES[column]}
        <span class="order" aria-hidden="true">
          {sorted ? (up ? "▲" : "▼") : ""}
        </span>
      </button>
    </th>
  );
}

function AppRow({ row, index }: { row: Row; index: number }) {
  const url = openable(row.url);
  const place = placeOf(row);
  return (
    <tr aria-rowindex={index + 2}>
      <th scope="row" class="name">
        <Link to={pathOf(row)}>
          <Text value={row.name} most={100} />
        </Link>
        <span class="place">
          <Text value={place} most={80} />
        </span>
      </th>
      <td class="state">
        <Badge group={row.group} text={row.state} />
      </td>
      <td class="replicas">{row.replicas}</td>
      <td class="revision">{row.revision === 0n ? "" : row.revision.toString()}</td>
      <td class="endpoint">
        {url !== undefined && (
          <a href={url} target="_blank" rel="noreferrer noopener">
            <Text value={url} most={200} />
          </a>
        )}
      </td>
      <td class="created">{row.created === undefined ? "" : age(planeNow() - row.created)}</td>
    </tr>
  );
}
