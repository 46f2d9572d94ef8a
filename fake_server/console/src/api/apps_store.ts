// The apps of the plane, kept current by a Watch, or by repeated Lists where the plane has no Watch of all apps.
//
// A short List is shown at once. A Watch begins with all apps and goes on with what changes, but doesn't say
// where its beginning ends: apps that it hasn't named once it is quiet are checked by a List, and dropped if they are gone.
import { Code, ConnectError } from "@connectrpc/connect";
import type { ListResponse, WatchResponse } from "../../gen/flyteidl2/app/app_payload_pb";
import { Follower, type FollowerSource } from "./follower";
import { Pace } from "./pace";
import { keyOf, rowOf, type Row } from "./rows";

/** What the store needs of the outside. */
export interface Source extends FollowerSource {
  /** Return the apps that a list begins with. */
  first(signal: AbortSignal): Promise<ListResponse>;
  list(token: string, signal: AbortSignal): Promise<ListResponse>;
  /** Return a time in milliseconds. */
  now(): number;
  /** Call `opened` once the plane has accepted the stream. */
  watch(signal: AbortSignal, opened: () => void): AsyncIterable<WatchResponse>;
}

const POLL_MS = 2_000;
/** Time without an event after which the beginning of a Watch is taken as over. */
const QUIET_MS = 500;

export class AppsStore extends Follower<Source> {
  readonly rows = new Map<string, Row>();
  /** Whether a whole list has been received at least once. */
  loaded = false;
  /** Whether the plane has no Watch of all apps. */
  polls = false;
  /** Whether there were too many streams when the Watch was to be opened. */
  #crowded = false;
  readonly #pace = new Pace(POLL_MS);
  /** Keys that the open Watch has named. */
  #named = new Set<string>();
  #events = 0;

  /** Forget the apps, which another caller may not see, and begin anew. */
  forget(): void {
    this.rows.clear();
    this.loaded = false;
    this.retry();
  }

  protected override async follow(signal: AbortSignal, succeeded: () => void): Promise<void> {
    if (!this.polls && !this.#crowded) return this.#follow(signal, succeeded);
    do {
      await this.#poll(signal, succeeded);
    } while (this.polls);
    this.#crowded = false; // a stream may be had by now
  }

  protected override failed(code: Code): "again" | "later" {
    const again = code === Code.Unimplemented && !this.polls;
    this.polls = again; // after another error, too: the server may be another one after a restart
    this.#crowded = code === Code.ResourceExhausted && !this.#crowded;
    return again || this.#crowded ? "again" : "later";
  }

  /** Follow a Watch until it ends. */
  async #follow(signal: AbortSignal, succeeded: () => void): Promise<void> {
    if (!this.loaded) {
      const first = await this.source.first(signal);
      this.#put(first);
      this.loaded = first.token === "";
      this.changed();
    }
    this.#named = new Set();
    this.#events = 0;
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, ended.signal]);
    try {
      const opened = (): void => {
        succeeded();
        this.set({ state: "live" });
        void this.#prune(inner).catch(() => ended.abort());
      };
      for await (const event of this.source.watch(inner, opened)) {
        this.#apply(event);
      }
    } finally {
      ended.abort();
    }
    throw new ConnectError("The server ended the stream.", Code.Unavailable);
  }

  /** Once the Watch is quiet, drop what it has not named, unless a List has it. */
  async #prune(signal: AbortSignal): Promise<void> {
    for (let before = -1; before !== this.#events; ) {
      before = this.#events;
      await this.source.sleep(QUIET_MS, signal);
    }
    if ([...this.rows.keys()].some((key) => !this.#named.has(key))) {
      const listed = await this.#listAll(signal);
      for (const key of this.rows.keys()) {
        if (!listed.has(key) && !this.#named.has(key)) this.rows.delete(key);
      }
    }
    this.loaded = true;
    this.changed();
  }

  /** List all apps once, and wait until that is worth doing again. */
  async #poll(signal: AbortSignal, succeeded: () => void): Promise<void> {
    const begun = this.source.now();
    this.#named = new Set();
    const listed = await this.#listAll(signal);
    for (const key of this.rows.keys()) if (!listed.has(key)) this.rows.delete(key);
    this.loaded = true;
    succeeded();
    const milliseconds = this.#pace.pause(this.source.now() - begun);
    this.set({ state: "polling", milliseconds });
    await this.source.sleep(milliseconds, signal);
  }

  /** List all apps, and return their keys. */
  async #listAll(signal: AbortSignal): Promise<Set<string>> {
    const keys = new Set<string>();
    let token = "";
    do {
      const page = await this.source.list(token, signal);
      for (const key of this.#put(page)) keys.add(key);
      this.changed();
      token = page.token;
    } while (token !== "");
    return keys;
  }

  /** Store a page of a List, but for apps of which the Watch has newer news; return the keys on it. */
  #put(page: ListResponse): string[] {
    const keys: string[] = [];
    for (const app of page.apps) {
      const row = rowOf(app);
      if (row === undefined) continue;
      keys.push(row.key);
      if (!this.#named.has(row.key)) this.rows.set(row.key, row);
    }
    return keys;
  }

  #apply({ event }: WatchResponse): void {
    this.#events += 1;
    const app = event.case === "updateEvent" ? event.value.updatedApp : event.value?.app;
    const id = app?.metadata?.id;
    if (app === undefined || id === undefined) return;
    const key = keyOf(id.project, id.domain, id.name);
    this.#named.add(key);
    const row = event.case === "deleteEvent" ? undefined : rowOf(app);
    if (row === undefined) this.rows.delete(key);
    else this.rows.set(key, row);
    this.changed();
  }
}
