// The page of one app. It has no stream of its own: a browser has few connections to a server.
import { appsStore } from "../api/source";
import { keyOf } from "../api/rows";
import { Badge } from "../components/badge";
import { Text } from "../components/text";
import { openable } from "../format";
import { Link, pathOf, type AppName } from "../router";

/** The page of an app, or that it isn't there. */
export function AppPage({ id }: { id: AppName }) {
  const row = appsStore.rows.get(keyOf(id.project, id.domain, id.name));
  if (row === undefined) return appsStore.loaded ? <NoApp id={id} /> : <p class="notice">Loading…</p>;
  const url = openable(row.url);
  return (
    <section class="app">
      <p class="path">
        <Link to="/">Apps</Link> / <Text value={row.project} /> / <Text value={row.domain} />
      </p>
      <h1>
        <Text value={row.name} />
      </h1>
      <p>
        <Badge group={row.group} text={row.state} /> <Text value={row.message} />
      </p>
      {url !== undefined && (
        <p>
          <a href={url} target="_blank" rel="noreferrer noopener">
            <Text value={url} />
          </a>
        </p>
      )}
    </section>
  );
}

function NoApp({ id }: { id: AppName }) {
  const others = [...appsStore.rows.values()].filter((each) => each.name.toLowerCase() === id.name.toLowerCase());
  return (
    <section class="notice">
      <h1>No such app</h1>
      <p>
        There is no app <Text value={id.name} /> in the project <Text value={id.project} />, domain{" "}
        <Text value={id.domain} />: it may have been deleted, or not been deployed yet.
      </p>
      {others.length > 0 && (
        <>
          <p>There is:</p>
          <ul>
            {others.slice(0, 10).map((each) => (
              <li key={each.key}>
                <Link to={pathOf(each)}>
                  <Text value={each.key} />
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
