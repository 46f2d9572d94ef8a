import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ListCallsResponseSchema, RecordedCallSchema, type RecordedCall } from "../gen/flyteapps_control/v1/control_pb";
import { CallsStore, MAX_CALLS, type News } from "../src/api/calls_store";

const { signal } = new AbortController();

/** A plane's log of calls, which answers as the plane does. */
class Log {
  calls: RecordedCall[] = [];
  asked: News[] = [];
  store = new CallsStore((news) => {
    this.asked.push(news);
    const found = this.calls.filter((each) => each.number > news.after || news.also.includes(each.number));
    return Promise.resolve(create(ListCallsResponseSchema, { calls: found.slice(-news.limit) }));
  });

  add(number: number, code = "OK", began = number): void {
    this.calls.push(create(RecordedCallSchema, { number: BigInt(number), code, realTime: timestampFromMs(began) }));
  }

  async shown(): Promise<string> {
    return (await this.store.read(signal)).map((each) => `${each.number}${each.code || "open"}`).join(" ");
  }
}

test("only what is new is asked for, and what wasn't over", async () => {
  const log = new Log();
  assert.equal(await log.shown(), "");
  log.add(1);
  log.add(2, "");
  log.add(3);
  assert.equal(await log.shown(), "3OK 2open 1OK");
  log.calls[1] = create(RecordedCallSchema, { ...log.calls[1]!, code: "CANCELED" });
  log.add(4);
  assert.equal(await log.shown(), "4OK 3OK 2CANCELED 1OK");
  assert.deepEqual(log.asked.at(-1), { after: 3n, also: [3n, 2n], limit: MAX_CALLS + 2 });
  await log.shown();
  assert.deepEqual(log.asked.at(-1)?.also, [4n]);
});

test("a log that begins anew is read anew, also where its numbers come again", async () => {
  const log = new Log();
  log.add(1);
  log.add(2);
  await log.shown();
  log.calls = [];
  assert.equal(await log.shown(), "");
  log.add(1);
  log.add(2);
  assert.equal(await log.shown(), "2OK 1OK");
  log.calls = [];
  for (const number of [1, 2, 3]) log.add(number, "NOT_FOUND", 100 + number);
  assert.equal(await log.shown(), "3NOT_FOUND 2NOT_FOUND 1NOT_FOUND");
});

test("the newest calls are kept, and no more", async () => {
  const log = new Log();
  for (let number = 1; number <= 2 * MAX_CALLS; number += 1) log.add(number);
  assert.equal((await log.store.read(signal)).length, MAX_CALLS);
  for (let number = 2 * MAX_CALLS + 1; number <= 4 * MAX_CALLS; number += 1) log.add(number);
  const calls = await log.store.read(signal);
  assert.deepEqual([calls.length, calls[0]?.number], [MAX_CALLS, BigInt(4 * MAX_CALLS)]);
});
