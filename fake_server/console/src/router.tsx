// The router: URLs of this server, which the server answers with the same page.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

export interface AppName {
  project: string;
  domain: string;
  name: string;
}

export type Route =
  | { page: "list" }
  | ({ page: "app" } & AppName)
  | { page: "simulation" }
  | { page: "login" }
  | { page: "unknown"; path: string };

/** Return the route of a path. */
export function routeOf(path: string): Route {
  let parts: string[];
  try {
    parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { page: "unknown", path };
  }
  const [first, , domain, , project, , name] = parts;
  if (parts.length === 0 || (parts.length === 1 && first === "v2")) return { page: "list" };
  if (parts.length === 1 && first === "simulation") return { page: "simulation" };
  if (parts.length === 1 && first === "login") return { page: "login" };
  if (
    parts.length === 7 && first === "v2" && parts[1] === "domain" && parts[3] === "project" && parts[5] === "apps" &&
    domain !== undefined && project !== undefined && name !== undefined
  ) {
    return { page: "app", domain, project, name };
  }
  return { page: "unknown", path };
}

/** Return the path of an app's page, as the SDK makes it. */
export function pathOf({ project, domain, name }: AppName): string {
  const [d, p, n] = [domain, project, name].map(encodeURIComponent);
  return `/v2/domain/${d}/project/${p}/apps/${n}`;
}

const CHANGED = "flyteapps:navigated";

/** Show another page of the console. */
export function navigate(path: string): void {
  history.pushState({ back: location.pathname + location.search + location.hash }, "", path);
  window.dispatchEvent(new Event(CHANGED));
}

/** Return the route of the page's address, also after it changes. */
export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const update = (): void => setPath(location.pathname);
    window.addEventListener("popstate", update);
    window.addEventListener(CHANGED, update);
    return () => {
      window.removeEventListener("popstate", update);
      window.removeEventListener(CHANGED, update);
    };
  }, []);
  return routeOf(path);
}

interface LinkProps {
  to: string;
  class?: string;
  current?: boolean;
  children: ComponentChildren;
}

/** A link to a page of the console, which is shown without a request for it. */
export function Link({ to, class: name, current, children }: LinkProps) {
  const open = (event: MouseEvent): void => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a class={name} href={to} onClick={open} aria-current={current === true ? "page" : undefined}>
      {children}
    </a>
  );
}
