// The page that logs a person in, and to which the plane's login page sends the browser back.
import { useEffect, useState } from "preact/hooks";
import { isOwnPath } from "../api/oauth";
import { session } from "../api/session";
import { appsStore } from "../api/source";
import { ErrorText, Form, TextField, reason, useAction } from "../components/form";
import { logOut } from "../components/session_status";
import { Text } from "../components/text";
import { useStore } from "../components/use_store";
import { Link, navigate } from "../router";

/** The page that one came from within the console. */
function previous(): string {
  const back = (history.state as { back?: unknown } | null)?.back;
  return typeof back === "string" && isOwnPath(back) && !back.startsWith("/login") ? back : "/";
}

/** The page that logs a person in. */
export function LoginPage() {
  useStore(session);
  const [problem, setProblem] = useState("");
  const [finishing, setFinishing] = useState(/[?&](code|error)=/.test(location.search));
  useEffect(() => {
    if (!finishing) {
      void session.start();
      return;
    }
    const search = location.search;
    history.replaceState(null, "", location.pathname); // a code is used once
    session
      .finish(search)
      .then((back) => {
        appsStore.retry();
        if (back !== undefined) navigate(back);
      })
      .catch((error: unknown) => {
        setProblem(reason(error));
        void session.start();
      })
      .finally(() => setFinishing(false));
  }, []);
  const { current } = session;
  if (finishing || current.state === "starting") return <p class="notice">Loading…</p>;
  return (
    <section class="notice">
      <h1>{current.state === "person" ? "Logged in" : "Log in"}</h1>
      <ErrorText text={problem} />
      {current.state === "open" && (
        <p>
          This plane needs no credentials: everyone may do all. <Link to="/">All apps</Link>
        </p>
      )}
      {current.state === "anonymous" && current.provider === "" && (
        <>
          <p>This plane answers callers alone that are logged in.</p>
          <p>
            <button type="button" class="primary" onClick={() => session.login(previous())}>
              Log in
            </button>
          </p>
        </>
      )}
      {current.state === "anonymous" && <TokenForm provider={current.provider} />}
      {current.state === "person" && (
        <>
          <dl class="pairs">
            <dt>Name</dt>
            <dd>
              <Text value={current.person.name} />
            </dd>
            <dt>Subject</dt>
            <dd>
              <Text value={current.person.subject} />
            </dd>
            <dt>Role</dt>
            <dd>
              {current.person.role || "unknown"}: <Rights role={current.person.role} projects={current.person.projects} />
            </dd>
          </dl>
          <p>
            <button type="button" onClick={() => void logOut()}>
              Log out
            </button>{" "}
            <Link to="/">All apps</Link>
          </p>
        </>
      )}
    </section>
  );
}

function Rights({ role, projects }: { role: string; projects: readonly string[] }) {
  if (role === "admin") return <>all</>;
  if (role !== "contributor") return <>reads</>;
  return (
    <>
      reads, and writes in <Text value={projects.join(", ") || "no project"} />
    </>
  );
}

/** The field for a token that was made elsewhere: by the provider, or for a program. */
function TokenForm({ provider }: { provider: string }) {
  const [token, setToken] = useState("");
  const action = useAction({ token: /./ });
  const use = async (): Promise<undefined> => {
    const back = previous();
    const given = token.trim().replace(/^bearer\s+/i, "");
    if (!/^[\x21-\x7e]+$/.test(given)) throw new Error("A token is a text without spaces, such as eyJhbGci…");
    await session.useToken(given);
    appsStore.retry();
    navigate(back);
  };
  return (
    <>
      {provider !== "" ? (
        <p>
          Its callers have tokens of <Text value={provider} />, which this page can't get by itself. Paste one:
        </p>
      ) : (
        <p>Or use an access token:</p>
      )}
      <Form action={action} submit="Use this token" send={use}>
        <TextField class="wide" label="Access token" type="password" value={token} change={setToken} error={action.error("token")} />
      </Form>
    </>
  );
}
