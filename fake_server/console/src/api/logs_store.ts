// The log lines of one app: streams of TailLogs, one after the other, since each ends when the replicas change.
//
// A new stream begins with lines that were there before; they are recognised by their times.
import { Code, ConnectError } from "@connectrpc/connect";
import type { TailLogsResponse } from "../../gen/flyteidl2/app/app_logs_payload_pb";
import { LogLineOriginator } from "../../gen/flyteidl2/logs/dataplane/payload_pb";
import { Observed } from "./observed";

export interface LogsSource {
  tail(signal: AbortSignal): AsyncIterable<TailLogsResponse>;
  /** Wait; reject once the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  explain(error: unknown): string;
}

export interface LogLine {
  /** Counts all lines from 1. */
  number: number;
  replica: string;
  /** Milliseconds since the epoch, of the plane's clock. */
  time: number | undefined;
  text: string;
  /** Whether the plane wrote it, not the app. */
  system: boolean;
}

export type LogsState =
  | { state: "idle" }
  | { state: "following" }
  /** No replica logs now; there may be more once the app changes. */
  | { state: "ended"; message: string }
  | { state: "lost"; message: string };

export const MAX_LINES = 5_000;
/** Characters of a line that are kept. */
export const MAX_LINE_CHARACTERS = 4_000;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

interface Mark {
  nanoseconds: bigint;
  /** Lines of that time. */
  count: number;
}

export class LogsStore extends Observed {
  lines: LogLine[] = [];
  /** Lines that were dropped, because there were more than are kept. */
  dropped = 0;
  readonly replicas = new Set<string>();
  connection: LogsState = { state: "idle" };
  readonly #source: LogsSource;
  readonly #marks = new Map<string, Mark>();
  #running: AbortController | undefined;
  #wake: (() => void) | undefined;
  #stirred = false;

  constructor(source: LogsSource) {
    super();
    this.#source = source;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#set({ state: "idle" });
  }

  /** Ask again soon, where the log has ended: the app has changed. */
  stir(): void {
    this.#stirred = true;
    this.#wake?.();
  }

  /** Forget the lines that are shown; those to come are added. */
  clear(): void {
    this.lines = [];
    this.dropped = 0;
    this.changed();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let delay = FIRST_DELAY_MS;
    while (!signal.aborted) {
      this.#stirred = false;
      try {
        if (await this.#follow(signal)) delay = FIRST_DELAY_MS;
        this.#set({ state: "ended", message: "The log has ended: no replica of it runs any more." });
      } catch (error) {
        if (signal.aborted) return;
        const { code } = ConnectError.from(error);
        const message = this.#source.explain(error);
        this.#set(code === Code.NotFound ? { state: "ended", message } : { state: "lost", message });
      }
      if (!(await this.#pause(delay, signal))) return;
      delay = this.#stirred ? FIRST_DELAY_MS : Math.min(2 * delay, MAX_DELAY_MS);
    }
  }

  /** Wait, or until the app changes; return whether to go on. */
  async #pause(delay: number, signal: AbortSignal): Promise<boolean> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    try {
      if (this.#stirred) woken.abort();
      await this.#source.sleep(delay, AbortSignal.any([signal, woken.signal]));
    } catch {
      if (signal.aborted) return false;
      try {
        await this.#source.sleep(FIRST_DELAY_MS, signal);
      } catch {
        return false;
      }
    } finally {
      this.#wake = undefined;
    }
    return !signal.aborted;
  }

  /** Follow one stream until it ends; return whether it had new lines. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const repeated = new Map<string, number>();
    let added = false;
    for await (const { resp } of this.#source.tail(signal)) {
      if (signal.aborted) break;
      if (this.connection.state !== "following") this.#set({ state: "following" });
      if (resp.case === "replicas") {
        for (const each of resp.value.replicas) this.replicas.add(each.name);
        this.changed();
        continue;
      }
      const groups = resp.case === "batches" ? resp.value.logs : resp.case === "logLines" ? [resp.value] : [];
      for (const group of groups) {
        const replica = "replicaId" in group ? (group.replicaId?.name ?? "") : "";
        if (replica !== "") this.replicas.add(replica);
        if (group.structuredLines.length === 0) for (const text of group.lines) added = this.#add(replica, undefined, text, false) || added;
        for (const line of group.structuredLines) {
          const at = line.timestamp !== undefined ? line.timestamp.seconds * 1_000_000_000n + BigInt(line.timestamp.nanos) : undefined;
          if (at !== undefined && this.#isOld(replica, at, repeated)) continue;
          added = this.#add(replica, at, line.message, line.originator === LogLineOriginator.SYSTEM) || added;
        }
      }
      this.changed();
    }
    return added;
  }

  /** Return whether a line of that time was there before this stream; `repeated` counts those of the newest time. */
  #isOld(replica: string, at: bigint, repeated: Map<string, number>): boolean {
    const mark = this.#marks.get(replica);
    if (mark === undefined || at > mark.nanoseconds) {
      this.#marks.set(replica, { nanoseconds: at, count: 1 });
      repeated.set(replica, 1);
      return false;
    }
    if (at < mark.nanoseconds) return true;
    const count = (repeated.get(replica) ?? 0) + 1;
    repeated.set(replica, count);
    if (count <= mark.count) return true;
    mark.count = count;
    return false;
  }

  #add(replica: string, at: bigint | undefined, message: string, system: boolean): true {
    const cut = message.length > MAX_LINE_CHARACTERS;
    const text = cut ? `${message.slice(0, MAX_LINE_CHARACTERS)}… (${message.length.toLocaleString("en")} characters)` : message;
    const number = this.dropped + this.lines.length + 1;
    this.lines.push({ number, replica, time: at !== undefined ? Number(at / 1_000_000n) : undefined, text: text.replace(/\n$/, ""), system });
    const over = this.lines.length - MAX_LINES;
    if (over > MAX_LINES / 10) this.#trim(over);
    return true;
  }

  #trim(over: number): void {
    this.lines = this.lines.slice(over);
    this.dropped += over;
  }

  protected override changed(): void {
    if (this.lines.length > MAX_LINES) this.#trim(this.lines.length - MAX_LINES);
    super.changed();
  }

  #set(connection: LogsState): void {
    this.connection = connection;
    this.changed();
  }
}
