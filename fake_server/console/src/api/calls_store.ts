// The recorded calls that match a selection. Only what is new is read: calls with higher numbers than those that are there,
// and those that weren't over.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ListCallsResponse, RecordedCall } from "../../gen/flyteapps_control/v1/control_pb";

/** Calls that are kept. */
export const MAX_CALLS = 500;
/** Calls that aren't over of which news is read: the newest. */
const MAX_OPEN = 100;

export interface News {
  after: bigint;
  also: bigint[];
  limit: number;
}

export class CallsStore {
  /** The newest first. */
  calls: readonly RecordedCall[] = [];
  /** Calls that the plane has recorded and forgotten. */
  forgotten = 0n;
  readonly #list: (news: News, signal: AbortSignal) => Promise<ListCallsResponse>;

  constructor(list: (news: News, signal: AbortSignal) => Promise<ListCallsResponse>) {
    this.#list = list;
  }

  /** Read what is new; return the calls. */
  async read(signal: AbortSignal): Promise<readonly RecordedCall[]> {
    const newest = this.calls[0];
    if (newest === undefined) return this.#take(await this.#list({ after: 0n, also: [], limit: MAX_CALLS }, signal));
    const open = this.calls.filter((each) => each.code === "").slice(0, MAX_OPEN).map((each) => each.number);
    const also = [...new Set([newest.number, ...open])];
    const answer = await this.#list({ after: newest.number, also, limit: MAX_CALLS + also.length }, signal);
    const again = answer.calls.find((each) => each.number === newest.number);
    if (again === undefined || began(again) !== began(newest)) {
      this.calls = []; // the plane was reset, or has forgotten all of them
      return this.read(signal);
    }
    return this.#take(answer);
  }

  #take({ calls, forgotten }: ListCallsResponse): readonly RecordedCall[] {
    const read = new Map(calls.map((each) => [each.number, each]));
    const old = this.calls.map((each) => read.get(each.number) ?? each);
    const first = this.calls[0]?.number ?? 0n;
    const added = calls.filter((each) => each.number > first).reverse();
    this.calls = [...added, ...old].slice(0, MAX_CALLS);
    this.forgotten = forgotten;
    return this.calls;
  }
}

function began(call: RecordedCall): number {
  return call.realTime === undefined ? 0 : timestampMs(call.realTime);
}
