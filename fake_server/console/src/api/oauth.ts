// The plane's own OpenID server: the code flow with PKCE, in requests and addresses. It is on the page's own origin.
import { base64url, sha256 } from "./sha256";

/** The client that each plane has for its console. */
const CLIENT = "flyteapps-console";
const PATH = "/login";
const TOKEN_PATH = "/oauth2/token";

/** A login that has been begun, as it is kept while the browser is at the plane's page. */
export interface Pending {
  state: string;
  verifier: string;
  /** The page to return to. */
  back: string;
}

export interface Tokens {
  access: string;
  refresh: string | undefined;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** Return a new login, for a person who then goes on at `back`. */
export function newLogin(back: string): Pending {
  return { state: random(), verifier: random(), back: isOwnPath(back) ? back : "/" };
}

/** Return whether it is a path of this origin. */
export function isOwnPath(path: string): boolean {
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(path);
}

/** Return the address of the plane's page for a login. */
export function loginAddress(pending: Pending, origin: string): string {
  const fields = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT,
    redirect_uri: origin + PATH,
    state: pending.state,
    code_challenge: base64url(sha256(pending.verifier)),
    code_challenge_method: "S256",
  });
  return `/oauth2/authorize?${fields.toString()}`;
}

/** Return the code of the answer in the page's address, undefined where there is none. Throws an Error for a refusal. */
export function codeOf(search: string, pending: Pending | undefined): string | undefined {
  const fields = new URLSearchParams(search);
  const code = fields.get("code");
  const error = fields.get("error");
  if (code === null && error === null) return undefined;
  if (pending === undefined || fields.get("state") !== pending.state) {
    throw new Error("This answer is to no login that was begun on this page.");
  }
  if (code === null) throw new Error(fields.get("error_description") ?? error ?? "");
  return code;
}

/** Return the tokens for a code. Throws an Error with the plane's reason. */
export function redeem(code: string, verifier: string, origin: string): Promise<Tokens> {
  return tokens({ grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: origin + PATH });
}

/** Return new tokens for a refresh token, which counts no more. */
export function renew(refresh: string): Promise<Tokens> {
  return tokens({ grant_type: "refresh_token", refresh_token: refresh });
}

/** Revoke a token: a refresh token with its whole session. */
export async function revoke(token: string): Promise<void> {
  await post("/oauth2/revoke", { token });
}

async function tokens(fields: Record<string, string>): Promise<Tokens> {
  const answer = await post(TOKEN_PATH, fields);
  const found = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const { access_token: access, refresh_token: refresh, error_description: reason, error } = found;
  if (typeof access !== "string") {
    throw new Error(String(reason ?? error ?? `The plane answers with the status ${answer.status}.`));
  }
  return { access, refresh: typeof refresh === "string" ? refresh : undefined };
}

function post(path: string, fields: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ ...fields, client_id: CLIENT });
  return fetch(path, { method: "POST", body, signal: AbortSignal.timeout(30_000) });
}
