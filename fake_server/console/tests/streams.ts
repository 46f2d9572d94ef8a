// Streams that a test scripts.

/** Let all that is ready happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A stream whose items a test sends; aborted as its signal is. */
export class Stream<T> {
  readonly signal: AbortSignal;
  readonly #queue: (() => IteratorResult<T, undefined>)[] = [];
  #wake = (): void => {};

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener("abort", () => this.fail(signal.reason));
  }

  send(value: T): void {
    this.#add(() => ({ done: false, value }));
  }

  end(): void {
    this.#add(() => ({ done: true, value: undefined }));
  }

  fail(error: unknown): void {
    this.#add(() => {
      throw error;
    });
  }

  async *items(): AsyncIterable<T> {
    for (;;) {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const { done, value } = next();
        if (done === true) return;
        yield value;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #add(each: () => IteratorResult<T, undefined>): void {
    this.#queue.push(each);
    this.#wake();
  }
}
