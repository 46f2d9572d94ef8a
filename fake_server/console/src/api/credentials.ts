// The token of the caller who logged in. It is kept in memory alone, so that nothing on the disk can be stolen.

type Source = () => Promise<string | undefined>;

let source: Source = () => Promise.resolve(undefined);

export const credentials = {
  /** Return the token to send with a call, undefined for none. */
  token(): Promise<string | undefined> {
    return source();
  },

  /** Take tokens from a source from now on, which renews them as needed. */
  use(next: Source): void {
    source = next;
  },
};
