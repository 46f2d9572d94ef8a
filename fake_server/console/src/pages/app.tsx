// The page of one app: a stream of it alone, and one of its log while that is open.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { App } from "../../gen/flyteidl2/app/app_definition_pb";
import { appStoreOf, near, scenarioOf } from "../api/app_source";
import type { AppStore } from "../api/app_store";
import { readClock } from "../api/clock";
import { lastCondition, milliseconds } from "../api/rows";
import { session } from "../api/session";
import { Badge } from "../components/badge";
import { Copy } from "../components/copy";
import { Text } from "../components/text";
import { useStore } from "../components/use_store";
import { instant, openable, stateLabel } from "../format";
import { Link, pathOf, type AppName } from "../router";
import { Actions } from "./app/actions";
import { CallsPart } from "./app/calls";
import { Logs } from "./app/logs";
import { Revisions } from "./app/revisions";
import { snippets } from "./app/snippets";
import { actorOf, Conditions } from "./app/timeline";
import { UsagePart } from "./app/usage";
import { useCalls } from "./app/use_calls";

/** The page of an app, or that it isn't there. */
export function AppPage({ id }: { id: AppName }) {
  const store = appStoreOf(id);
  useStore(store);
  useClock(store);
  if (store.presence === "loading") return <p class="notice">{store.connection.state === "connecting" ? "Loading…" : "This app can't be read yet: see the line at the top."}</p>;
  if (store.presence === "missing") return <NoApp id={id} />;
  return <KnownApp id={id} store={store} app={store.app!} />;
}

/** Read the plane's clock when the app changes, since one that doesn't run by itself moves then. */
function useClock(store: AppStore): void {
  const [, setRead] = useState(0);
  const { isCurrent } = store;
  useEffect(() => {
    if (!isCurrent) return;
    const ended = new AbortController();
    const timer = setTimeout(() => void readClock(ended.signal).then(() => setRead((count) => count + 1)), 300);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [store, store.changes, isCurrent]);
}

function KnownApp({ id, store, app }: { id: AppName; store: AppStore; app: App }) {
  const [calls, again] = useCalls(id, store);
  const deleted = store.presence === "deleted";
  const last = lastCondition(app);
  const { group, text } = stateLabel(last?.deploymentStatus ?? 0, last?.substate ?? 0);
  return (
    <article class="app">
      <Path id={id} />
      <div class="title">
        <h1>
          <Text value={id.name} />
        </h1>
        {deleted ? <Badge group="unknown" text="Deleted" /> : <Badge group={group} text={text} />}
      </div>
      {deleted ? (
        <p class="banner" role="alert">
          This app is no longer there: it was deleted, or the server came back without it. Below is what was last known of it.
        </p>
      ) : (
        <>
          {last !== undefined && last.message !== "" && (
            <p class="message">
              <Text value={last.message} most={1_000} />
            </p>
          )}
          {session.mayWrite(id.project) && <Actions name={id} app={app} store={store} />}
        </>
      )}
      <Facts id={id} app={app} store={store} />
      <Conditions app={app} store={store} calls={calls} />
      <UsagePart key={pathOf(id)} name={id} app={app} store={store} calls={calls} />
      {!deleted && <Logs name={id} store={store} />}
      <Revisions store={store} calls={calls} />
      <CallsPart name={id} calls={calls} again={again} />
      <Lines id={id} />
    </article>
  );
}

function Path({ id }: { id: AppName }) {
  return (
    <p class="path">
      <Link to="/">Apps</Link> / <Text value={id.project} /> / <Text value={id.domain} />
    </p>
  );
}

function Facts({ id, app, store }: { id: AppName; app: App; store: AppStore }) {
  const scenario = useScenario(id, store);
  const { metadata, spec, status } = app;
  const url = status?.ingress?.publicUrl ?? "";
  const address = openable(url);
  const revision = metadata?.revision ?? 0n;
  const replicas = spec?.autoscaling?.replicas;
  const labels = Object.entries(metadata?.labels ?? {});
  const creator = actorOf(spec?.creator);
  return (
    <dl class="facts">
      <div>
        <dt>Endpoint</dt>
        <dd>
          {address !== undefined ? (
            <a href={address} target="_blank" rel="noreferrer noopener">
              <Text value={url} />
            </a>
          ) : (
            <Text value={url || "none yet"} />
          )}
        </dd>
      </div>
      <div>
        <dt>Revision</dt>
        <dd>{revision !== 0n ? String(revision) : "not counted by this plane"}</dd>
      </div>
      <div>
        <dt>Replicas</dt>
        <dd>
          {status?.currentReplicas ?? 0}
          {replicas !== undefined && ` (${replicas.min} to ${replicas.max})`}
        </dd>
      </div>
      <div>
        <dt>Created</dt>
        <dd>
          {instant(milliseconds(status?.createdAt)).slice(0, 19) || "not known"}
          {creator !== "" && (
            <>
              {" "}
              by <Text value={creator} most={60} />
            </>
          )}
        </dd>
      </div>
      {scenario !== undefined && (
        <div>
          <dt>Scenario</dt>
          <dd>
            <Text value={scenario} most={200} />
          </dd>
        </div>
      )}
      {labels.length > 0 && (
        <div>
          <dt>Labels</dt>
          <dd>
            {labels.slice(0, 50).map(([key, value]) => (
              <code key={key} class="label">
                <Text value={`${key}=${value}`} most={120} />
              </code>
            ))}
          </dd>
        </div>
      )}
    </dl>
  );
}

/** Return the scenario that the app has, with why; undefined where no scenario is simulated, or none yet. */
function useScenario(id: AppName, store: AppStore): string | undefined {
  const [scenario, setScenario] = useState<string>();
  const revision = String(store.app?.metadata?.revision ?? 0n);
  const status = store.app !== undefined ? lastCondition(store.app)?.deploymentStatus : undefined;
  const live = store.isCurrent;
  useEffect(() => {
    if (!live || !session.hasControl) return;
    const ended = new AbortController();
    scenarioOf(id, ended.signal)
      .then((found) => setScenario(found && `${found.scenario} (${[found.reason, found.detail].filter(Boolean).join(" ")})`))
      .catch(() => undefined); // a server without the control API
    return () => ended.abort();
  }, [id.project, id.domain, id.name, store, live, revision, status]);
  return scenario;
}

function Lines({ id }: { id: AppName }) {
  const made = useMemo(() => snippets(id, location.host, location.protocol === "http:"), [id.project, id.domain, id.name]);
  return (
    <section class="part" aria-labelledby="lines">
      <h2 id="lines">The same from a program or a terminal</h2>
      {made.map(({ title, lines }) => (
        <details key={title}>
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

function NoApp({ id }: { id: AppName }) {
  const [others, setOthers] = useState<AppName[]>([]);
  useEffect(() => {
    const ended = new AbortController();
    near(id, ended.signal)
      .then(setOthers)
      .catch(() => undefined); // the page says so much without
    return () => ended.abort();
  }, [id.project, id.domain, id.name]);
  return (
    <section class="notice">
      <h1>No such app</h1>
      <p>
        There is no app <Text value={id.name} /> in the project <Text value={id.project} />, domain <Text value={id.domain} />: it may have
        been deleted, or not been deployed yet. Once it is, it appears here.
      </p>
      {others.length > 0 && (
        <>
          <p>There is:</p>
          <ul>
            {others.map((each) => (
              <li key={pathOf(each)}>
                <Link to={pathOf(each)}>
                  <Text value={`${each.project}/${each.domain}/${each.name}`} />
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
      <p>
        <Link to="/">All apps</Link>
      </p>
    </section>
  );
}
