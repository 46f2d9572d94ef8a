// The session of the person who uses the console: whether the plane wants credentials, who is logged in, with which
// rights. The access token outlives a reload, in the tab's storage, and ends with the tab. The refresh token counts once,
// and a second tab with a copy of it would end the session, as a theft does. A browser copies the storage of a tab that is
// duplicated, so the token is there only between two pages of the tab: the page that goes stores it, the next takes it out.
import { Code, ConnectError } from "@connectrpc/connect";
import { identity } from "./clients";
import { credentials } from "./credentials";
import { codeOf, loginAddress, newLogin, redeem, renew, revoke, type Pending } from "./oauth";
import { mayWrite, personOf, type Person } from "./rights";
import { Observed } from "./observed";
import { server } from "./server";

export type SessionState =
  | { state: "starting" }
  /** The plane answers everyone. */
  | { state: "open" }
  /** The plane wants credentials; `provider` issues them, "" for the plane itself. */
  | { state: "anonymous"; provider: string }
  | { state: "person"; person: Person };

const TOKEN = "flyteapps.token";
const REFRESH = "flyteapps.refresh";
const LOGIN = "flyteapps.login";

class Session extends Observed {
  current: SessionState = { state: "starting" };
  /** Whether the server has the control API. */
  hasControl = true;
  #header = "authorization";
  #provider = "";
  #token = stored(TOKEN);
  #refresh = taken(REFRESH);
  #renewing: Promise<boolean> | undefined;
  #started: Promise<void> | undefined;

  constructor() {
    super();
    credentials.use({
      header: () => this.#header,
      token: () => Promise.resolve(this.#token),
      refused: (token) => this.#refused(token),
    });
    addEventListener("pagehide", () => store(REFRESH, this.#refresh));
    addEventListener("pageshow", (event) => event.persisted && this.#resume());
  }

  /** Whether the caller may write in a project, as far as is known. */
  mayWrite(project: string): boolean {
    return this.current.state === "open" || (this.current.state === "person" && mayWrite(this.current.person, project));
  }

  /** Whether the caller may use the control API, if there is one. */
  get mayControl(): boolean {
    return this.current.state === "open" || (this.current.state === "person" && this.current.person.role === "admin");
  }

  /** Find out what the plane wants and who is logged in; called again, it waits for the same. */
  start(): Promise<void> {
    this.#started ??= this.check().catch(() => {
      this.#started = undefined; // the server can't be reached: the next call tries again
    });
    return this.#started;
  }

  /** Find out again: the server may be another one. */
  async check(): Promise<void> {
    const { authentication, control } = await server(AbortSignal.timeout(10_000));
    this.hasControl = control ?? true;
    if (authentication === null || authentication === undefined) {
      this.#set({ state: "open" });
      return;
    }
    this.#header = authentication.header;
    this.#provider = authentication.provider ?? "";
    if (this.#token === undefined) this.#set({ state: "anonymous", provider: this.#provider });
    else await this.#identify();
  }

  /** Send the browser to the plane's login page, from which it returns to `/login`. */
  login(back: string): void {
    const pending = newLogin(back);
    store(LOGIN, JSON.stringify(pending));
    location.assign(loginAddress(pending, location.origin));
  }

  /** Finish a login whose answer is in the page's address; return the page to go on with. */
  async finish(search: string): Promise<string | undefined> {
    const pending = pendingLogin();
    const code = codeOf(search, pending);
    if (code === undefined || pending === undefined) return undefined;
    store(LOGIN, undefined);
    const { access, refresh } = await redeem(code, pending.verifier, location.origin);
    this.#keep(access, refresh);
    await this.check();
    return pending.back;
  }

  /** Use a token that was made elsewhere. Throws an Error where the plane refuses it. */
  async useToken(token: string): Promise<void> {
    this.#keep(token, undefined);
    await this.check();
    if (this.current.state === "anonymous") throw new Error("The plane refuses this token.");
  }

  /** Forget the tokens, and end their session. */
  async logout(): Promise<void> {
    const token = this.#refresh ?? this.#token;
    const own = this.#provider === "";
    this.#forget();
    if (token !== undefined && own) await revoke(token).catch(() => undefined);
  }

  /** Go on after pages that this tab showed in between, which may have renewed the tokens, or ended the session. */
  #resume(): void {
    this.#token = stored(TOKEN);
    this.#refresh = taken(REFRESH);
    void this.check().catch(() => undefined);
  }

  async #identify(): Promise<void> {
    try {
      const found = await identity.userInfo({});
      const claims = found.additionalClaims as Readonly<Record<string, unknown>> | undefined;
      this.#set({ state: "person", person: personOf(found.subject, found.name, claims) });
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unauthenticated) throw error;
      this.#forget();
    }
  }

  /** Renew a token that was refused; forget it where that can't be. */
  #refused(token: string | undefined): Promise<boolean> {
    if (token !== this.#token) return Promise.resolve(this.#token !== undefined); // it was renewed meanwhile
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(): Promise<boolean> {
    const refresh = this.#refresh;
    this.#refresh = undefined; // it counts once
    if (refresh !== undefined) {
      try {
        const found = await renew(refresh);
        this.#keep(found.access, found.refresh);
        return true;
      } catch {
        // the person logs in again
      }
    }
    if (this.#token !== undefined) this.#forget();
    else if (this.current.state === "open") await this.check().catch(() => undefined); // it is another server
    return false;
  }

  #keep(token: string, refresh: string | undefined): void {
    this.#token = token;
    this.#refresh = refresh;
    store(TOKEN, token);
  }

  #forget(): void {
    this.#token = undefined;
    this.#refresh = undefined;
    store(TOKEN, undefined);
    this.#set({ state: "anonymous", provider: this.#provider });
  }

  #set(next: SessionState): void {
    this.current = next;
    this.changed();
  }
}

function pendingLogin(): Pending | undefined {
  try {
    return JSON.parse(stored(LOGIN) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Return what the tab keeps under a name; undefined also where a browser keeps nothing. */
function stored(name: string): string | undefined {
  try {
    return sessionStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Return what the tab keeps under a name, and forget it. */
function taken(name: string): string | undefined {
  const found = stored(name);
  store(name, undefined);
  return found;
}

function store(name: string, value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    // the session ends with a reload
  }
}

export const session = new Session();
