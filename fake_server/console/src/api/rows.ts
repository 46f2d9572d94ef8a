// The row of an app: what a list shows of its message, which may be large.
import type { App, Condition } from "../../gen/flyteidl2/app/app_definition_pb";
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { stateLabel, type Group } from "../format";

export interface Row {
  key: string;
  project: string;
  domain: string;
  name: string;
  group: Group;
  state: string;
  message: string;
  replicas: number;
  revision: bigint;
  url: string;
  /** Milliseconds since the epoch, of the plane's clock. */
  created: number | undefined;
}

/** Return the key of an app in maps. */
export function keyOf(project: string, domain: string, name: string): string {
  return `${project}/${domain}/${name}`;
}

/** Return the app's newest condition. */
export function lastCondition(app: App): Condition | undefined {
  return app.status?.conditions.at(-1);
}

/** Return milliseconds since the epoch. */
export function milliseconds(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : timestampMs(time);
}

const MAX_MESSAGE = 500;

/** Return the row of an app; undefined for a message without an id. */
export function rowOf(app: App): Row | undefined {
  const id = app.metadata?.id;
  if (id === undefined) return undefined;
  const last = lastCondition(app);
  const { group, text } = stateLabel(last?.deploymentStatus ?? 0, last?.substate ?? 0);
  return {
    key: keyOf(id.project, id.domain, id.name),
    project: id.project,
    domain: id.domain,
    name: id.name,
    group,
    state: text,
    message: last?.message.slice(0, MAX_MESSAGE) ?? "",
    replicas: app.status?.currentReplicas ?? 0,
    revision: app.metadata?.revision ?? 0n,
    url: app.status?.ingress?.publicUrl ?? "",
    created: milliseconds(app.status?.createdAt),
  };
}
