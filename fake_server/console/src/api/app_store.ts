// One app, kept current by a Watch of it, and the specs that it had while it was watched.
//
// The plane keeps the newest spec alone. What the page has seen of others, or was told by the log of calls, is kept here.
import { equals, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AppSchema, SpecSchema, type App, type Spec } from "../../gen/flyteidl2/app/app_definition_pb";
import type { WatchResponse } from "../../gen/flyteidl2/app/app_payload_pb";
import { Follower, type FollowerSource } from "./follower";

/** What the store needs of the outside. */
export interface AppSource extends FollowerSource {
  get(signal: AbortSignal): Promise<App | undefined>;
  /** Call `opened` once the plane has accepted the stream. */
  watch(signal: AbortSignal, opened: () => void): AsyncIterable<WatchResponse>;
  /** Return the real time in milliseconds since the epoch. */
  now(): number;
}

/** Where the app is, as far as is known. "deleted": it was there while the page was open. */
export type Presence = "loading" | "there" | "missing" | "deleted";

export interface SpecSeen {
  /** "12" of a plane that counts revisions, else "1st", "2nd", ... of those seen. */
  label: string;
  revision: bigint;
  spec: Spec;
  /** Whether it is known from the log of calls alone. */
  logged: boolean;
}

const MAX_SPECS = 50;
/** Time between two reads of the app where it can't be watched. */
const POLL_MS = 2_000;

export class AppStore extends Follower<AppSource> {
  app: App | undefined;
  presence: Presence = "loading";
  /** The specs that are known, the oldest first. */
  specs: SpecSeen[] = [];
  /** The real times, in milliseconds since the epoch, at which conditions were received, by their place; not of the first ones. */
  readonly seenAt = new Map<string, number>();
  /** Counts the changes of the app. */
  changes = 0;
  #known = new Set<string>();
  /** Whether there were too many streams when the Watch was to be opened. */
  #crowded = false;

  /** Add a spec that the log of calls has. */
  addLogged(revision: bigint, spec: Spec): void {
    if (this.specs.some((each) => (revision !== 0n ? each.revision === revision : same(each.spec, spec)))) return;
    this.#insert(revision, spec, true);
    this.changed();
  }

  protected override failed(code: Code): "again" | "end" | "later" {
    this.#crowded = code === Code.ResourceExhausted && !this.#crowded;
    if (this.#crowded) return "again";
    if (code !== Code.InvalidArgument) return "later";
    // no app can have this name
    this.presence = "missing";
    this.set({ state: "idle" });
    return "end";
  }

  /** Follow a Watch until it ends. It is open before the app is read, so that no change is missed between the two. */
  protected override async follow(signal: AbortSignal, succeeded: () => void): Promise<void> {
    if (this.#crowded) {
      const app = await this.source.get(signal);
      if (app === undefined || this.app === undefined || this.presence !== "there" || !equals(AppSchema, app, this.app)) this.#put(app);
      succeeded();
      this.set({ state: "polling", milliseconds: POLL_MS });
      await this.source.sleep(POLL_MS, signal);
      this.#crowded = false; // a stream may be had by now
      return;
    }
    const ended = new AbortController();
    const inner = AbortSignal.any([signal, ended.signal]);
    let failure: unknown;
    let events = 0;
    const read = async (): Promise<void> => {
      const before = events;
      const app = await this.source.get(inner);
      if (before === events) this.#put(app); // else an event is newer
    };
    try {
      if (this.presence === "loading") await read(); // shown although the Watch may be refused
      const opened = (): void => {
        succeeded();
        this.set({ state: "live" });
        read().catch((error: unknown) => {
          failure = error;
          ended.abort();
        });
      };
      for await (const { event } of this.source.watch(inner, opened)) {
        events += 1;
        if (event.case === "deleteEvent") this.#put(undefined);
        else if (event.case === "createEvent") this.#put(event.value.app);
        else if (event.case === "updateEvent") {
          const old = event.value.oldApp;
          if (old?.spec !== undefined) this.#see(old.metadata?.revision ?? 0n, old.spec);
          this.#put(event.value.updatedApp);
        }
      }
    } catch (error) {
      throw failure ?? error;
    } finally {
      ended.abort();
    }
    throw failure ?? new ConnectError("The server ended the stream.", Code.Unavailable);
  }

  #put(app: App | undefined): void {
    if (app === undefined) {
      if (this.presence === "loading") this.presence = "missing";
      else if (this.presence === "there") this.presence = "deleted";
    } else {
      const first = this.presence !== "there";
      if (this.presence === "deleted" || this.presence === "missing") this.#forget();
      this.app = app;
      this.presence = "there";
      if (app.spec !== undefined) this.#see(app.metadata?.revision ?? 0n, app.spec);
      for (const each of app.status?.conditions ?? []) {
        const key = keyOfCondition(each);
        if (!first && !this.#known.has(key)) this.seenAt.set(key, this.source.now());
        this.#known.add(key);
      }
    }
    this.changes += 1;
    this.changed();
  }

  /** Forget another app that had the same name. */
  #forget(): void {
    this.specs = [];
    this.seenAt.clear();
    this.#known.clear();
  }

  #see(revision: bigint, spec: Spec): void {
    const newest = this.specs.at(-1);
    if (revision === 0n ? newest !== undefined && same(newest.spec, spec) : this.specs.some((each) => each.revision === revision)) return;
    this.#insert(revision, spec, false);
  }

  #insert(revision: bigint, spec: Spec, logged: boolean): void {
    const label = revision !== 0n ? String(revision) : `${ordinal(this.specs.length + 1)} seen`;
    const at = revision !== 0n ? this.specs.findIndex((each) => each.revision > revision) : logged ? 0 : -1;
    const made = { label, revision, spec, logged };
    this.specs = at < 0 ? [...this.specs, made] : [...this.specs.slice(0, at), made, ...this.specs.slice(at)];
    if (this.specs.length > MAX_SPECS) this.specs = this.specs.slice(-MAX_SPECS);
  }
}

/** Return the key of a condition among those of an app. */
export function keyOfCondition(each: { lastTransitionTime?: { seconds: bigint; nanos: number } | undefined; deploymentStatus: number; substate: number }): string {
  const time = each.lastTransitionTime;
  return `${time?.seconds ?? 0n}.${time?.nanos ?? 0}/${each.deploymentStatus}/${each.substate}`;
}

function same(one: Spec, other: Spec): boolean {
  const [first, second] = [toBinary(SpecSchema, one), toBinary(SpecSchema, other)];
  return first.length === second.length && first.every((each, at) => each === second[at]);
}

function ordinal(number: number): string {
  const ending = number % 100 >= 11 && number % 100 <= 13 ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${number}${ending}`;
}
