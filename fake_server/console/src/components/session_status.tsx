// Who uses the console, where the plane wants to know.
import { forgetApp } from "../api/app_source";
import { session } from "../api/session";
import { appsStore } from "../api/source";
import { Link, navigate } from "../router";
import { Text } from "./text";
import { useStore } from "./use_store";

/** Log out, and forget what the person saw. */
export async function logOut(): Promise<void> {
  await session.logout();
  forgetApp();
  appsStore.forget();
  navigate("/login");
}

/** The person who is logged in, with a button to log out; or a link to log in; nothing where everyone may do all. */
export function SessionStatus() {
  useStore(session);
  const { current } = session;
  if (current.state === "anonymous") return <Link to="/login">Log in</Link>;
  if (current.state !== "person") return null;
  const { person } = current;
  return (
    <span class="session">
      <Link to="/login">
        <Text value={person.name} most={40} />
        {person.role !== "" && <span class="role"> ({person.role})</span>}
      </Link>
      <button type="button" onClick={() => void logOut()}>
        Log out
      </button>
    </span>
  );
}
