// The frame of all pages: where one is, where one can go, and the state of the connection.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { appStoreOf } from "../api/app_source";
import { clockStore } from "../api/clock_source";
import type { AppStore } from "../api/app_store";
import type { AppsStore } from "../api/apps_store";
import type { ClockStore } from "../api/clock_store";
import { session } from "../api/session";
import { appsStore, whileVisible } from "../api/source";
import { ListPage } from "../pages/list";
import { AppPage } from "../pages/app";
import { LoginPage } from "../pages/login";
import { SimulationPage } from "../pages/simulation";
import { UnknownPage } from "../pages/unknown";
import { Link, useRoute, type Route } from "../router";
import { ConnectionStatus } from "./connection_status";
import { SessionStatus } from "./session_status";
import { useStore } from "./use_store";

function page(route: Route): { title: string; content: ComponentChildren } {
  switch (route.page) {
    case "list":
      return { title: "Apps", content: <ListPage /> };
    case "app":
      return { title: route.name, content: <AppPage key={`${route.project}/${route.domain}/${route.name}`} id={route} /> };
    case "simulation":
      return { title: "Simulation", content: <SimulationPage /> };
    case "login":
      return { title: "Log in", content: <LoginPage /> };
    case "unknown":
      return { title: "Not found", content: <UnknownPage path={route.path} /> };
  }
}

/** Return what the page follows: one stream a tab, none where only the clock is shown. */
function followed(route: Route): AppStore | AppsStore | ClockStore {
  if (route.page === "app") return appStoreOf(route);
  const simulated = session.current.state === "starting" || (session.hasControl && session.mayControl);
  return route.page === "simulation" && simulated ? clockStore : appsStore;
}

/** The console. */
export function Shell() {
  const route = useRoute();
  useStore(session);
  const store = followed(route);
  useStore(store);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const { title, content } = page(route);
  useEffect(() => void session.start(), [store.connection.state]);
  useEffect(() => whileVisible(() => store.start(), () => store.stop()), [store]);
  useEffect(() => {
    document.title = `${title.slice(0, 100)} · flyteapps`;
    if (first.current) first.current = false;
    else main.current?.focus(); // a screen reader reads the new page
  }, [title]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <Link to="/" class="brand">
          flyteapps
        </Link>
        <nav aria-label="Pages">
          <Link to="/" current={route.page === "list"}>
            Apps
          </Link>
          {session.hasControl && (session.mayControl || session.current.state === "starting") && (
            <Link to="/simulation" current={route.page === "simulation"}>
              Simulation
            </Link>
          )}
        </nav>
        <ConnectionStatus connection={store.connection} retry={() => store.retry()} />
        <SessionStatus />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {content}
      </main>
    </>
  );
}
