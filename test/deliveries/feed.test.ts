import { expect, test } from "vitest";
import type { WatchResultsResponse } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createSqlite } from "../../src/database/sqlite.ts";
import { createFeed, type FeedStart } from "../../src/deliveries/feed.ts";
import { createResumeTokens } from "../../src/deliveries/resume-token.ts";
import { ErrorReason, ServiceError, StoreError } from "../../src/errors.ts";
import { createDatabaseLedger } from "../../src/ledger/database-ledger.ts";
import { newOrder, passed } from "../ledger/orders.ts";
import { EPOCH_MS, ProcessLife } from "../simulation/node.ts";
import { World } from "../simulation/world.ts";

const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];
const REGISTER = "app@host";

/** A feed over a ledger in virtual time. Without `hints`, only the poll sees an end. */
async function createRig({ hints = true } = {}) {
  const world = new World(1);
  const life = new ProcessLife(world, "p");
  const clock = {
    now: () => EPOCH_MS + world.now,
    monotonic: () => world.now,
    sleep: (ms: number, signal?: AbortSignal) => life.clock.sleep(ms, signal),
  };
  const database = createSqlite(":memory:");
  const ledger = createDatabaseLedger(database, { register: REGISTER, clock });
  await ledger.open();
  const away = () => Promise.reject(new StoreError("endedAfter", "ECONNREFUSED"));
  const state = { away: false };
  const watchers: number[] = [];
  const feed = createFeed({
    ledger: {
      position: () => (state.away ? away() : ledger.position()),
      endedAfter: (sequence, limit) => (state.away ? away() : ledger.endedAfter(sequence, limit)),
      watch: (listener) => (hints ? ledger.watch(() => world.after(1, listener)) : () => undefined),
    },
    appId: "IDAXXXXX",
    register: REGISTER,
    clock,
    events: { watchersChanged: (change) => void watchers.push(change.watchers) },
  });
  await feed.start();
  let orders = 0;

  return {
    world,
    ledger,
    state,
    watchers,
    run: (ms: number) => world.run(world.now + ms),
    async end(count = 1) {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        const orderNo = `o${++orders}`;
        await ledger.put([newOrder(orderNo, { createdAt: clock.now() })]);
        await ledger.end(orderNo, passed(clock.now()), { endpoints: [] });
        ids.push(`evt_${orderNo}`);
      }
      return ids;
    },
    /** A stream; `take` is asked before each message is taken. */
    follow(start: Partial<FeedStart> = {}, take: () => Promise<void> = async () => undefined) {
      const messages: WatchResultsResponse[] = [];
      const end = new AbortController();
      let error: unknown;
      const send = async (message: WatchResultsResponse) => {
        messages.push(message);
        await take();
      };
      feed
        .follow({ resumeToken: "", since: undefined, ...start }, send, end.signal)
        .catch((thrown: unknown) => {
          error = thrown;
        });
      return {
        messages,
        ids: () => messages.map(({ eventId }) => eventId).filter((id) => id !== ""),
        token: () => messages.at(-1)?.resumeToken ?? "",
        error: () => error,
        cut: () => end.abort(new Error("cut")),
      };
    },
    [Symbol.asyncDispose]: async () => {
      await feed.stop();
      await ledger.close();
    },
  };
}

test("a stream without a token begins now, says at once where, and every 20 seconds that it lives", async () => {
  await using rig = await createRig();
  await rig.end(3);
  const stream = rig.follow();
  await rig.run(SECOND);
  expect(stream.messages).toMatchObject([{ eventId: "" }]);
  expect(stream.messages[0]?.event).toBeUndefined();
  await rig.run(61 * SECOND);
  expect(stream.ids()).toEqual([]);
  expect(stream.messages).toHaveLength(4);
  const ids = await rig.end(2);
  await rig.run(10);
  expect(stream.ids()).toEqual(ids);
  expect(stream.messages.at(-1)?.event).toMatchObject({
    type: "order.completed",
    data: { orderNo: "o5", sequence: 5 },
  });
  // The event was a sign of life too.
  await rig.run(19 * SECOND);
  expect(stream.messages).toHaveLength(6);
  await rig.run(2 * SECOND);
  expect(stream.messages).toHaveLength(7);
  expect(rig.watchers).toEqual([1]);
  stream.cut();
  await rig.run(1);
  expect(stream.error()).toMatchObject({ message: "cut" });
  expect(rig.watchers).toEqual([1, 0]);
});

test("without hints an end is seen within two seconds", async () => {
  await using rig = await createRig({ hints: false });
  const stream = rig.follow();
  await rig.run(10 * SECOND);
  const ids = await rig.end();
  await rig.run(2 * SECOND);
  expect(stream.ids()).toEqual(ids);
});

test("a token goes on after its message, over many pages", async () => {
  await using rig = await createRig();
  const first = rig.follow();
  await rig.run(SECOND);
  first.cut();
  const ids = await rig.end(350);
  const second = rig.follow({ resumeToken: first.token() });
  await rig.run(SECOND);
  expect(second.ids()).toEqual(ids);
  const third = rig.follow({ resumeToken: second.messages[99]?.resumeToken ?? "" });
  await rig.run(SECOND);
  expect(third.ids()).toEqual(ids.slice(100));
  // The present is where a sign of life comes.
  expect(third.messages.at(-1)).toMatchObject({ eventId: "", resumeToken: second.token() });
});

test("since begins with what ended then, and is ignored beside a token", async () => {
  await using rig = await createRig();
  const ids: string[] = [];
  for (let i = 0; i < 40; i++) {
    ids.push(...(await rig.end()));
    await rig.run(MINUTE);
  }
  for (const from of [-1, 0, 1, 17, 39, 40]) {
    const stream = rig.follow({ since: EPOCH_MS + from * MINUTE });
    await rig.run(10);
    expect(stream.ids(), String(from)).toEqual(ids.slice(Math.max(from, 0)));
    stream.cut();
  }
  const stream = rig.follow({ since: EPOCH_MS, resumeToken: createResumeTokens(REGISTER).of(38) });
  await rig.run(10);
  expect(stream.ids()).toEqual(ids.slice(38));
});

test("a slow reader is handed one message at a time", async () => {
  await using rig = await createRig();
  await rig.end(50);
  const stream = rig.follow(
    { since: 0 },
    () => new Promise((resolve) => rig.world.after(MINUTE, () => resolve())),
  );
  await rig.run(10 * MINUTE - 1);
  expect(stream.messages).toHaveLength(10);
  stream.cut();
  await rig.run(1);
  expect(stream.error()).toBeDefined();
});

test.each([
  "x",
  Buffer.from("1.1.aaaaaaaaaaaa").toString("base64url"),
  createResumeTokens("app@other").of(1),
  `${createResumeTokens(REGISTER).of(1)}=`,
])("a wrong token is an error of the request: %s", async (resumeToken) => {
  await using rig = await createRig();
  const stream = rig.follow({ resumeToken });
  await rig.run(1);
  expect(stream.error()).toMatchObject({
    reason: ErrorReason.INVALID_REQUEST,
    violations: [{ field: "resume_token", rule: "resume_token.unknown" }],
  });
});

test("a token older than what is kept has expired, and the oldest one kept has not", async () => {
  await using rig = await createRig();
  await rig.end(5);
  await rig.run(HOUR);
  const ids = await rig.end(5);
  const now = EPOCH_MS + rig.world.now;
  expect(await rig.ledger.sweep({ before: now, now, limit: 100 })).toBe(5);
  const tokens = createResumeTokens(REGISTER);
  const [expired, kept] = [4, 5].map((sequence) => rig.follow({ resumeToken: tokens.of(sequence) }));
  await rig.run(1);
  expect(expired?.error()).toMatchObject({ reason: ErrorReason.RESUME_TOKEN_EXPIRED });
  expect(kept?.ids()).toEqual(ids);
});

test("a ledger restored from a backup, behind the token, repeats events rather than skip them", async () => {
  await using rig = await createRig();
  await rig.end(3);
  const stream = rig.follow({ resumeToken: createResumeTokens(REGISTER).of(9) });
  await rig.run(1);
  const ids = await rig.end(3);
  await rig.run(10);
  expect(stream.ids()).toEqual(ids);
});

test("an unreachable ledger ends streams, and the token goes on afterwards", async () => {
  await using rig = await createRig();
  const stream = rig.follow();
  await rig.run(SECOND);
  rig.state.away = true;
  await rig.run(3 * SECOND);
  expect((stream.error() as ServiceError).reason).toBe(ErrorReason.LEDGER_UNAVAILABLE);
  const ids = await rig.end(2);
  rig.state.away = false;
  const again = rig.follow({ resumeToken: stream.token() });
  await rig.run(10);
  expect(again.ids()).toEqual(ids);
});
