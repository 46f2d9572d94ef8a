// What changes, and tells its listeners.

export class Observed {
  /** Counts the changes. */
  version = 0;
  readonly #listeners = new Set<() => void>();

  /** Call the listener after each change; return a function that stops it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  protected changed(): void {
    this.version += 1;
    for (const each of this.#listeners) each();
  }
}
