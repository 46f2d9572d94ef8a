// The app's log, live while it is open.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { plain, spansOf } from "../../ansi";
import { makeLogs } from "../../api/app_source";
import type { AppStore } from "../../api/app_store";
import { MAX_LINES, type LogLine, type LogsStore } from "../../api/logs_store";
import { whileVisible } from "../../api/source";
import { useStore } from "../../components/use_store";
import { useWindow } from "../../components/virtual_rows";
import { Text } from "../../components/text";
import { instant, shown } from "../../format";
import type { AppName } from "../../router";

/** Height of a line, which the style sheet sets, too: --line. */
const LINE_PIXELS = 20;
const MAX_SHOWN = 5_000;

/** The part of the page about logs. */
export function Logs({ name, store }: { name: AppName; store: AppStore }) {
  const [open, setOpen] = useState(true);
  return (
    <section class="part" aria-labelledby="logs">
      <div class="row">
        <h2 id="logs">Logs</h2>
        <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Close" : "Open"}
          <span class="hidden"> the log</span>
        </button>
      </div>
      {open && <OpenLogs name={name} store={store} />}
    </section>
  );
}

function OpenLogs({ name, store }: { name: AppName; store: AppStore }) {
  const logs = useMemo(() => makeLogs(name), [name.project, name.domain, name.name]);
  useEffect(() => whileVisible(() => logs.start(), () => logs.stop()), [logs]);
  useEffect(() => logs.stir(), [logs, store.changes]);
  useStore(logs);
  const [search, setSearch] = useState("");
  const [replica, setReplica] = useState("");
  const [follow, setFollow] = useState(true);
  const lines = useMemo(() => {
    const wanted = search.toLowerCase();
    if (wanted === "" && replica === "") return logs.lines;
    return logs.lines.filter(
      (each) => (replica === "" || each.replica === replica) && (wanted === "" || plain(each.text).toLowerCase().includes(wanted)),
    );
  }, [logs, logs.version, search, replica]);
  const filtered = search !== "" || replica !== "";
  return (
    <>
      <div class="row">
        <input
          type="search"
          aria-label="Search the log"
          placeholder="Search the log"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <select aria-label="Replica" value={replica} onChange={(event) => setReplica(event.currentTarget.value)}>
          <option value="">All replicas ({logs.replicas.size})</option>
          {[...logs.replicas].slice(0, 500).map((each) => (
            <option key={each} value={each}>
              {shown(each, 100)}
            </option>
          ))}
        </select>
        <label>
          <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.currentTarget.checked)} /> Follow
        </label>
        <button type="button" class="small" onClick={() => logs.clear()}>
          Clear
        </button>
        <span class="hint" role="status">
          {filtered && `${lines.length.toLocaleString("en")} of `}
          {logs.lines.length.toLocaleString("en")} lines{logs.dropped > 0 && `, the newest ${MAX_LINES.toLocaleString("en")}`}
        </span>
      </div>
      <Lines lines={lines} many={logs.replicas.size > 1 && replica === ""} follow={follow} setFollow={setFollow} version={logs.version} />
      <State logs={logs} />
    </>
  );
}

function State({ logs }: { logs: LogsStore }) {
  const { connection } = logs;
  if (connection.state === "following") return <p class="hint">Live: new lines appear as they are written.</p>;
  if (connection.state === "idle") return <p class="hint">Connecting…</p>;
  return (
    <p class="hint">
      {connection.state === "lost" && "Not connected: "}
      <Text value={connection.message} /> {connection.state === "ended" ? "It is followed again once the app changes." : "It is tried again."}
    </p>
  );
}

interface LinesProps {
  lines: LogLine[];
  /** Whether lines of several replicas are shown. */
  many: boolean;
  follow: boolean;
  setFollow: (follow: boolean) => void;
  version: number;
}

function Lines({ lines, many, follow, setFollow, version }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const { first, end } = useWindow(box, Math.min(lines.length, MAX_SHOWN + 500), LINE_PIXELS);
  useLayoutEffect(() => {
    if (follow && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [follow, version, lines]);
  const scrolled = (): void => {
    const element = box.current;
    if (element === null) return;
    const bottom = element.scrollHeight - element.clientHeight - element.scrollTop < LINE_PIXELS;
    if (bottom !== follow) setFollow(bottom);
  };
  return (
    <div class="log" ref={box} tabIndex={0} role="log" aria-live="off" aria-label="Log lines" onScroll={scrolled}>
      <svg class="space" width="1" height={first * LINE_PIXELS} aria-hidden="true" />
      {lines.slice(first, end).map((each) => (
        <Line key={each.number} line={each} many={many} />
      ))}
      <svg class="space" width="1" height={Math.max(0, lines.length - end) * LINE_PIXELS} aria-hidden="true" />
      {lines.length === 0 && <p class="hint">No lines.</p>}
    </div>
  );
}

function Line({ line, many }: { line: LogLine; many: boolean }) {
  const spans = spansOf(line.text.replace(/\t/g, "    "));
  return (
    <div class={line.system ? "line system" : "line"}>
      <span class="when" title={`${instant(line.time)} UTC`}>
        {instant(line.time).slice(11, 23)}
      </span>
      {many && (
        <span class="from" title={shown(line.replica, 200)}>
          <Text value={line.replica.slice(-12)} />
        </span>
      )}
      <bdi>
        {spans.map((each, at) => (
          <span key={at} class={each.style || undefined}>
            {shown(each.text, 5_000)}
          </span>
        ))}
      </bdi>
    </div>
  );
}
