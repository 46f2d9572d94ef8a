import { Text } from "../components/text";
import { Link } from "../router";

/** The page of an address that is none. */
export function UnknownPage({ path }: { path: string }) {
  return (
    <section class="notice">
      <h1>No such page</h1>
      <p>
        <code>
          <Text value={path} />
        </code>{" "}
        is no page of the console.
      </p>
      <p>
        <Link to="/">All apps</Link>
      </p>
    </section>
  );
}
