// The sources of one app's stores in a browser, and the changes that its page makes: by the calls that the SDK makes.
import { create, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AppSchema, Spec_DesiredState as DesiredState, type App } from "../../gen/flyteidl2/app/app_definition_pb";
import { CreateResponseSchema, GetResponseSchema, UpdateResponseSchema } from "../../gen/flyteidl2/app/app_payload_pb";
import type { AppUsage, RecordedCall } from "../../gen/flyteapps_control/v1/control_pb";
import type { AppName } from "../router";
import { AppStore } from "./app_store";
import { apps, control, explain, logs } from "./clients";
import { LogsStore } from "./logs_store";
import { keyOf } from "./rows";
import { inSlot } from "./slots";
import { sleep, whenOpen } from "./source";

let current: { key: string; store: AppStore } | undefined;

/** Return the store of an app: one at a time, since a tab has one page. */
export function appStoreOf(name: AppName): AppStore {
  const key = keyOf(name.project, name.domain, name.name);
  if (current?.key !== key) current = { key, store: makeStore(name) };
  return current.store;
}

/** Forget the app, which another caller may not see. */
export function forgetApp(): void {
  current?.store.stop();
  current = undefined;
}

function idOf({ project, domain, name }: AppName): { project: string; domain: string; name: string } {
  return { project, domain, name };
}

function makeStore(name: AppName): AppStore {
  const id = idOf(name);
  return new AppStore({
    async get(signal) {
      try {
        return (await apps.get({ identifier: { case: "appId", value: id } }, { signal })).app;
      } catch (error) {
        if (ConnectError.from(error).code === Code.NotFound) return undefined;
        throw error;
      }
    },
    watch: (signal, opened) =>
      inSlot(() => apps.watch({ target: { case: "appId", value: id } }, { signal, onHeader: whenOpen(signal, opened) })),
    sleep,
    explain,
    now: Date.now,
  });
}

/** Return a store of an app's log lines. */
export function makeLogs(name: AppName): LogsStore {
  return new LogsStore({
    tail: (signal) => inSlot(() => logs.tailLogs({ target: { case: "appId", value: idOf(name) } }, { signal })),
    sleep,
    explain,
  });
}

export type Action = "start" | "stop" | "restart" | "delete";

const REASONS = {
  start: "User requested to start app from the console",
  stop: "User requested to stop app from the console",
  restart: "User requested to restart app from the console",
} as const;

/** Carry out an action. Raises ConnectError with what the plane says. */
export async function act(action: Action, name: AppName): Promise<void> {
  if (action === "delete") {
    await apps.delete({ appId: idOf(name) });
    return;
  }
  const { app } = await apps.get({ identifier: { case: "appId", value: idOf(name) } });
  if (app === undefined) throw new ConnectError("The plane returned no app.", Code.Internal);
  const changed = create(AppSchema, app);
  if (changed.spec === undefined) throw new ConnectError("The app has no spec.", Code.FailedPrecondition);
  changed.spec.desiredState = desired(action, changed.spec.desiredState);
  await apps.update({ app: changed, reason: REASONS[action] });
}

/** Return the desired state to write. STARTED and ACTIVE both mean that the app runs: the other one is a new start. */
function desired(action: "start" | "stop" | "restart", before: DesiredState): DesiredState {
  if (action === "stop") return DesiredState.STOPPED;
  return before === DesiredState.STARTED ? DesiredState.ACTIVE : DesiredState.STARTED;
}

/** Return the apps of that name in another case or place, at most ten. */
export async function near(name: AppName, signal: AbortSignal): Promise<AppName[]> {
  const found: AppName[] = [];
  const wanted = plainName(name.name);
  let token = "";
  for (let page = 0; page < 20 && found.length < 10; page += 1) {
    const answer = await apps.list({ request: { limit: 1_000, token } }, { signal });
    for (const { metadata } of answer.apps) {
      const id = metadata?.id;
      if (id !== undefined && plainName(id.name) === wanted) found.push(idOf(id));
    }
    token = answer.token;
    if (token === "") break;
  }
  return found.slice(0, 10);
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_. ]/g, "");
}

/** Return the selector of exactly this app in the control API, whose fields are globs. */
export function selectorOf(name: AppName): { project: string; domain: string; name: string } {
  const exactly = (text: string): string => text.replace(/[*?[]/g, (each) => `[${each}]`);
  return { project: exactly(name.project), domain: exactly(name.domain), name: exactly(name.name) };
}

export const MAX_CALLS = 50;

/** Return the newest calls that name the app, the oldest first. */
export async function callsOf(name: AppName, signal: AbortSignal): Promise<RecordedCall[]> {
  return (await control.listCalls({ select: { app: selectorOf(name) }, limit: MAX_CALLS }, { signal })).calls;
}

/** Return the source of a test that repeats the calls that name the app. */
export async function testOf(name: AppName): Promise<string> {
  return (await control.writeTest({ select: { app: selectorOf(name) } })).source;
}

/** Return the scenario that the app has, and why. */
export async function scenarioOf(name: AppName, signal: AbortSignal): Promise<{ scenario: string; reason: string; detail: string } | undefined> {
  return (await control.listAppScenarios({ app: selectorOf(name) }, { signal })).scenarios[0];
}

/** Return what the app used over time; undefined where there is no such app. */
export async function usageOf(name: AppName, signal: AbortSignal): Promise<AppUsage | undefined> {
  return (await control.listAppUsage({ app: selectorOf(name) }, { signal })).apps[0];
}

const ANSWERS = [GetResponseSchema, CreateResponseSchema, UpdateResponseSchema] as const;

/** Return the apps in the answers of a recorded call. */
export function appsIn(call: RecordedCall): App[] {
  const found: App[] = [];
  for (const { typeUrl, value } of call.responses) {
    const schema = ANSWERS.find((each) => typeUrl.endsWith(`/${each.typeName}`));
    if (schema === undefined) continue;
    try {
      const { app } = fromBinary(schema, value);
      if (app !== undefined) found.push(app);
    } catch {
      // a message of a newer plane
    }
  }
  return found;
}
