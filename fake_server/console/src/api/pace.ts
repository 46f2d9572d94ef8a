// How often something is read that can't be followed: what takes the server long is read less often.

/** The pause after a read, in times that it took: an open page costs the server at most so small a part of a core. */
const PAUSE = 200;
const MAX_PAUSE_MS = 60_000;

/** The pauses between repeated reads of one thing. */
export class Pace {
  readonly #least: number;
  #before = 0;

  /** `least`: the shortest pause, in milliseconds. */
  constructor(least: number) {
    this.#least = least;
  }

  /** Return the pause after a read that took so long. A single slow read, such as the first of a page, changes nothing. */
  pause(took: number): number {
    const steady = Math.min(took, this.#before);
    this.#before = took;
    return Math.max(this.#least, Math.min(MAX_PAUSE_MS, PAUSE * steady));
  }
}
