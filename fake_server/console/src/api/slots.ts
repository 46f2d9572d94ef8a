// The streams of all pages of this origin. A browser has six connections to a server over HTTP/1.1: were all of them taken by
// streams of windows side by side, every other request would wait, that for the page of a further window, too.
import { Code, ConnectError } from "@connectrpc/connect";

/** Streams that are open at a time, of all pages together. */
const MAX_STREAMS = 4;
const NAME = "flyteapps.stream.";

/** Yield what a stream yields. Throws RESOURCE_EXHAUSTED at once where as many are open as may be. */
export async function* inSlot<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
  const release = await slot();
  if (release === undefined) {
    throw new ConnectError("Other windows of this browser follow as much as its connections allow.", Code.ResourceExhausted);
  }
  try {
    yield* open();
  } finally {
    release();
  }
}

/** Return what gives the slot back, undefined where none is free. */
async function slot(): Promise<(() => void) | undefined> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (locks === undefined) return () => undefined; // a page from another machine without TLS
  for (let number = 1; number <= MAX_STREAMS; number += 1) {
    const release = await lock(locks, NAME + number);
    if (release !== undefined) return release;
  }
  return undefined;
}

function lock(locks: LockManager, name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (held) => (held === null ? resolve(undefined) : new Promise<void>((done) => resolve(done))))
      .catch(reject);
  });
}
