// The credentials that calls send. The session, which knows them, is their source.

export interface Source {
  /** Return the header of credentials, in lower case. */
  header(): string;
  /** Return the token to send with a call, undefined for none. */
  token(): Promise<string | undefined>;
  /** Take note that a token was refused; return whether there is another one to try. */
  refused(token: string | undefined): Promise<boolean>;
}

let source: Source = {
  header: () => "authorization",
  token: () => Promise.resolve(undefined),
  refused: () => Promise.resolve(false),
};

export const credentials = {
  /** Add the token to the headers of a call, if there is one, and return it. */
  async add(headers: Headers): Promise<string | undefined> {
    const token = await source.token();
    if (token !== undefined) headers.set(source.header(), `Bearer ${token}`);
    return token;
  },

  refused(token: string | undefined): Promise<boolean> {
    return source.refused(token);
  },

  /** Take tokens from a source from now on, which renews them as needed. */
  use(next: Source): void {
    source = next;
  },
};
