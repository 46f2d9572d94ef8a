// What is kept current by a stream, or by repeated calls: begun again after each end, with a growing delay.
import { Code, ConnectError } from "@connectrpc/connect";
import { afterFailure, type Connection } from "./connection";
import { Observed } from "./observed";

/** What every follower needs of the outside. */
export interface FollowerSource {
  /** Wait; reject once the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  explain(error: unknown): string;
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8_000;

export abstract class Follower<S extends FollowerSource> extends Observed {
  connection: Connection = { state: "connecting" };
  protected readonly source: S;
  #running: AbortController | undefined;

  constructor(source: S) {
    super();
    this.source = source;
  }

  /** Whether the plane was asked, and answers. */
  get isCurrent(): boolean {
    return this.connection.state === "live" || this.connection.state === "polling";
  }

  /** Follow until `stop`. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    if (this.connection.state === "paused") this.set({ state: "connecting" });
    void this.#run(this.#running.signal);
  }

  /** Close the stream and stop asking; what was received stays. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.set({ state: "paused" });
  }

  /** Try again at once. */
  retry(): void {
    this.stop();
    this.start();
  }

  /** Open the stream anew where there is one; what is live stays so meanwhile. */
  renew(): void {
    if (this.connection.state !== "live") return;
    this.#running?.abort();
    this.#running = undefined;
    this.start();
  }

  /** Follow until the stream or a call ends, by an error too. Call `succeeded` once the plane has answered. */
  protected abstract follow(signal: AbortSignal, succeeded: () => void): Promise<void>;

  /** Return what to do after an error: "again" at once, to "end", or to try "later". */
  protected abstract failed(code: Code): "again" | "end" | "later";

  protected set(connection: Connection): void {
    this.connection = connection;
    this.changed();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let delay = FIRST_DELAY_MS;
    const succeeded = (): void => {
      delay = FIRST_DELAY_MS;
    };
    while (!signal.aborted) {
      try {
        await this.follow(signal, succeeded);
      } catch (error) {
        if (signal.aborted) return;
        const { code } = ConnectError.from(error);
        const next = this.failed(code);
        if (next === "end") return;
        if (next === "again") continue;
        this.set(afterFailure(code, this.source.explain(error), delay));
      }
      try {
        await this.source.sleep(delay, signal);
      } catch {
        return;
      }
      delay = Math.min(2 * delay, MAX_DELAY_MS);
    }
  }
}
