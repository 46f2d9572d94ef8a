// How often something is read that can't be followed: what takes the server long is read less often.

/** The pause after a read, in times that it took: an open page costs the server at most so small a part of a core. */
const PAUSE = 100;
const MAX_PAUSE_MS = 20_000;

/** The shortest time that an answer took: that of the network, and of a call that costs the server nothing. */
export class Network {
  shortest = Infinity;

  /** Record how long an answer took, in milliseconds. */
  answered(took: number): void {
    this.shortest = Math.min(this.shortest, took);
  }
}

/** The network between this page and its server. */
export const network = new Network();

/** The pauses between repeated reads of one thing. */
export class Pace {
  readonly #least: number;
  readonly #network: Network;
  #before = 0;

  /** `least`: the shortest pause, in milliseconds. */
  constructor(least: number, over = network) {
    this.#least = least;
    this.#network = over;
  }

  /** Return the pause after a read that took so long. A single slow read, such as the first of a page, changes nothing. */
  pause(took: number): number {
    this.#network.answered(took);
    const steady = Math.min(took, this.#before) - this.#network.shortest;
    this.#before = took;
    return Math.max(this.#least, Math.min(MAX_PAUSE_MS, PAUSE * Math.max(0, steady)));
  }
}
