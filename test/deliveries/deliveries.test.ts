import { Webhook } from "standardwebhooks";
import { describe, expect, test, vi } from "vitest";
import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import type { ReceiverAnswer } from "../../src/deliveries/next-try.ts";
import { newWebhookSecret } from "../../src/domain/webhook-signature.ts";
import { createRig, DAY, endpoint, HOUR, MINUTE, OK, REFUSED, SECOND, status } from "./rig.ts";

const TIMEOUT = { ms: 15_000, answer: { failure: "timeout", sent: true } as ReceiverAnswer };

test("every event is sent once, in sequence, within a second of its end", async () => {
  await using rig = await createRig({ receivers: { shop: () => OK, crm: () => OK } });
  rig.process();
  await rig.run(5 * SECOND);
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) {
    ids.push(...(await rig.end(i % 3)));
    await rig.run(SECOND / 3);
  }
  await rig.run(SECOND);
  expect(rig.taken("shop")).toEqual(ids);
  expect(rig.taken("crm")).toEqual(ids);
  expect(rig.received).toHaveLength(2 * ids.length);
  expect(rig.events.filter(({ event }) => event !== "deliveryTried")).toEqual([]);
  expect(await rig.stateOf(ids[0] ?? "")).toMatchObject({
    state: DeliveryState.DELIVERED,
    attempts: 1,
    result: "200",
  });
});

test("a backlog goes out eight at a time", async () => {
  let [underWay, most] = [0, 0];
  await using rig = await createRig({
    receivers: {
      shop: () => {
        most = Math.max(most, ++underWay);
        rig.world.after(99, () => void underWay--);
        return { ms: 100, answer: OK };
      },
    },
  });
  const ids = await rig.end(200);
  rig.process();
  await rig.run(4 * SECOND);
  expect(rig.taken("shop")).toEqual(ids);
  expect(most).toBe(8);
});

describe("a receiver down for six hours", () => {
  const [DOWN, UP] = [10 * MINUTE, 10 * MINUTE + 6 * HOUR];
  test.each<[string, ReceiverAnswer | { ms: number; answer: ReceiverAnswer }]>([
    ["refuses connections", REFUSED],
    ["answers 503", status(503)],
    ["answers 429", status(429)],
    ["does not answer", TIMEOUT],
  ])(
    "that %s gets everything in order within one gap after it is back, and little before",
    async (_what, failure) => {
      for (const everyMs of [MINUTE, 25 * MINUTE]) {
        await using rig = await createRig({
          receivers: { shop: (_id, at) => (at >= DOWN && at < UP ? failure : OK) },
        });
        rig.process();
        const ids: string[] = [];
        while (rig.world.now < UP) {
          ids.push(...(await rig.end()));
          await rig.run(everyMs);
        }
        await rig.run(UP + 1.1 * HOUR - rig.world.now);
        expect(rig.taken("shop")).toEqual(ids);
        // Two a round at most: the first in sequence, and one to tell whether it is to blame itself.
        const inVain = rig.received.filter(({ at }) => at >= DOWN && at < UP);
        expect(inVain.length).toBeLessThan(2 * 12);
        // Once it is back, everything goes at once.
        const late = rig.received.filter(({ at }) => at >= UP);
        const [first, last] = [late[0]?.at ?? 0, late.at(-1)?.at ?? 0];
        expect(last - first).toBeLessThan(everyMs === MINUTE ? 10 * SECOND : 30 * MINUTE);
        expect(rig.events.filter(({ event }) => event === "endpointChanged")).toMatchObject([
          { up: false },
          { up: true },
        ]);
      }
    },
  );

  test("a new process goes on where the last one was", async () => {
    await using rig = await createRig({ receivers: { shop: (_id, at) => (at < UP ? REFUSED : OK) } });
    const first = rig.process();
    const ids = await rig.end(20);
    await rig.run(3 * HOUR);
    first.life.crash();
    rig.process("q");
    await rig.run(UP + 1.1 * HOUR - rig.world.now);
    expect(rig.taken("shop")).toEqual(ids);
  });
});

describe("an event that the receiver cannot digest", () => {
  /** One such event, then one good event every seven minutes. */
  async function withPoison(
    failure: ReceiverAnswer | { ms: number; answer: ReceiverAnswer },
    forMs: number,
    pollMs = SECOND,
  ) {
    let poison = "";
    const receivers = { shop: (id: string) => (id === poison ? failure : OK) };
    const rig = await createRig({ receivers, pollMs });
    rig.process();
    await rig.run(SECOND);
    [poison = ""] = await rig.end();
    const endedAt = new Map<string, number>();
    while (rig.world.now < forMs) {
      const [id = ""] = await rig.end();
      endedAt.set(id, rig.world.now);
      await rig.run(7 * MINUTE);
    }
    expect(rig.taken("shop")).toEqual([...endedAt.keys()]);
    const others = rig.received.filter(({ id }) => id !== poison);
    expect(Math.max(...others.map(({ id, at }) => at - (endedAt.get(id) ?? 0)))).toBeLessThan(20 * SECOND);
    return { rig, poison };
  }

  test.each<[string, ReceiverAnswer | { ms: number; answer: ReceiverAnswer }]>([
    ["500", status(500)],
    ["400", status(400)],
    ["a redirect", status(302)],
    ["no answer", TIMEOUT],
    ["a broken connection", { failure: "ECONNRESET", sent: true }],
  ])("%s: delays no other", async (_what, failure) => {
    const { rig, poison } = await withPoison(failure, 3 * HOUR);
    expect(rig.tries(poison).length).toBeGreaterThan(6);
    await rig[Symbol.asyncDispose]();
  });

  test("it is parked after three days, and tried hourly at most by then", async () => {
    const { rig, poison } = await withPoison(status(500), 3.1 * DAY, 10 * SECOND);
    expect(await rig.stateOf(poison)).toMatchObject({ state: DeliveryState.PARKED });
    const tries = rig.tries(poison).map(({ at }) => at);
    expect(tries.length).toBeLessThan(90);
    expect((tries.at(-1) ?? 0) - (tries[0] ?? 0)).toBeGreaterThan(3 * DAY - MINUTE);
    expect(rig.events.filter(({ outcome }) => outcome === "parked")).toHaveLength(1);
    await rig[Symbol.asyncDispose]();
  });
});

test("a slow receiver delays no other", async () => {
  await using rig = await createRig({
    receivers: { slow: () => ({ ms: 14_000, answer: OK }), fast: () => OK },
  });
  rig.process();
  await rig.run(SECOND);
  const ids: string[] = [];
  for (let i = 0; i < 60; i++) {
    ids.push(...(await rig.end()));
    await rig.run(SECOND);
    expect(rig.taken("fast")).toEqual(ids);
  }
  await rig.run(5 * MINUTE);
  expect(rig.taken("slow")).toEqual(ids);
});

test("410 stops the endpoint until it is restarted, and then it gets everything", async () => {
  let gone = true;
  await using rig = await createRig({ receivers: { shop: () => (gone ? status(410) : OK), crm: () => OK } });
  rig.process();
  const ids = await rig.end(2);
  await rig.run(SECOND);
  const asked = rig.received.filter(({ endpoint: to }) => to === "shop").length;
  expect(asked).toBeLessThanOrEqual(2);
  ids.push(...(await rig.end(3)));
  gone = false;
  await rig.run(2 * HOUR);
  expect(rig.taken("shop")).toEqual([]);
  expect(rig.taken("crm")).toEqual(ids);
  expect(await rig.ledger.endpoints(["shop"])).toMatchObject([{ waiting: 5, parked: 0 }]);
  const now = rig.exact.now();
  expect(await rig.ledger.recover({ endpoint: "shop", since: now - HOUR, until: now, now })).toMatchObject({
    restarted: true,
  });
  await rig.run(MINUTE);
  expect(rig.taken("shop")).toEqual(ids);
  expect(rig.events.filter(({ event }) => event === "endpointChanged")).toMatchObject([
    { endpoint: "shop", up: false, result: "410" },
    { endpoint: "shop", up: true },
  ]);
});

test("nothing is sent before Retry-After has passed", async () => {
  await using rig = await createRig({
    receivers: { shop: (_id, at) => (at < HOUR ? status(503, "7200") : OK) },
  });
  rig.process();
  const ids = await rig.end(3);
  await rig.run(HOUR);
  const before = rig.received.length;
  await rig.run(HOUR - SECOND);
  expect(rig.received).toHaveLength(before);
  await rig.run(5 * SECOND);
  expect(rig.taken("shop")).toEqual(ids);
});

test("a replay keeps its id, is signed with today's secrets and says nothing about the endpoint", async () => {
  let answer: ReceiverAnswer = OK;
  await using rig = await createRig({ receivers: { shop: () => answer } });
  rig.process();
  const [id = ""] = await rig.end();
  await rig.run(MINUTE);
  const today = newWebhookSecret();
  rig.state.webhooks = [endpoint("shop", today)];
  answer = REFUSED;
  expect(await rig.ledger.redeliver(id.slice(4), ["shop"], rig.exact.now())).toBe(1);
  await rig.run(SECOND);
  expect(await rig.ledger.endpoints(["shop"])).toMatchObject([{ failures: 0, resumeAt: 0, waiting: 1 }]);
  answer = OK;
  await rig.run(MINUTE);
  const [first, , again] = rig.tries(id);
  expect(again?.body).toBe(first?.body);
  vi.setSystemTime(rig.exact.now());
  expect(new Webhook(today).verify(again?.body ?? "", { ...again?.headers })).toMatchObject({
    type: "order.completed",
  });
  vi.useRealTimers();
  expect(await rig.stateOf(id)).toMatchObject({ state: DeliveryState.DELIVERED, replay: true, attempts: 2 });
});

test("while a secret is rotated no request is refused, whichever the receiver holds", async () => {
  const [old, current] = [newWebhookSecret(), newWebhookSecret()];
  let held = old;
  const verified: unknown[] = [];
  await using rig = await createRig({ receivers: { shop: () => OK } });
  rig.state.webhooks = [endpoint("shop", old)];
  rig.process();
  const steps = [
    () => void (rig.state.webhooks = [endpoint("shop", old, current)]),
    () => void (held = current),
    () => void (rig.state.webhooks = [endpoint("shop", current)]),
    () => undefined,
  ];
  for (const step of steps) {
    await rig.end(2);
    await rig.run(5 * SECOND);
    vi.setSystemTime(rig.exact.now());
    for (const { body, headers } of rig.received.splice(0))
      verified.push(new Webhook(held).verify(body, { ...headers }));
    vi.useRealTimers();
    step();
  }
  expect(verified).toHaveLength(8);
});

test("a crash between the request and its record repeats the request with its id", async () => {
  await using rig = await createRig({ receivers: { shop: () => ({ ms: 100, answer: OK }) } });
  const { life } = rig.process();
  await rig.run(SECOND);
  const [id = ""] = await rig.end();
  await rig.run(50);
  life.crash();
  rig.process("q");
  await rig.run(MINUTE);
  const [first, second, ...more] = rig.tries(id);
  expect([second?.id, second?.body, more]).toEqual([id, first?.body, []]);
  expect(await rig.stateOf(id)).toMatchObject({ state: DeliveryState.DELIVERED });
});

test("two processes never send the same delivery at once, though one freezes and wakes", async () => {
  const underWay = new Set<string>();
  const twice: string[] = [];
  await using rig = await createRig({
    receivers: {
      shop: (id) => {
        if (underWay.has(id)) twice.push(id);
        underWay.add(id);
        const ms = rig.world.between(10, 14_000);
        rig.world.after(ms, () => underWay.delete(id));
        return { ms, answer: rig.world.chance(0.2) ? status(500) : OK };
      },
    },
    seed: 7,
  });
  const lives = ["p", "q", "r"].map((name) => rig.process(name).life);
  const ids: string[] = [];
  for (let i = 0; i < 200; i++) {
    ids.push(...(await rig.end(2)));
    await rig.run(10 * SECOND);
    if (i % 5 === 0) lives[i % 3]?.pause(rig.world.between(SECOND, 3 * MINUTE));
  }
  await rig.run(5 * HOUR);
  expect(twice).toEqual([]);
  expect(new Set(rig.taken("shop"))).toEqual(new Set(ids));
  expect(await rig.ledger.endpoints(["shop"])).toMatchObject([{ waiting: 0, parked: 0 }]);
});

test("an unreachable ledger is waited for", async () => {
  await using rig = await createRig({ receivers: { shop: () => OK } });
  rig.process();
  await rig.run(SECOND);
  const ids = await rig.end(3);
  rig.state.ledgerAway = true;
  await rig.run(10 * MINUTE);
  rig.state.ledgerAway = false;
  await rig.run(MINUTE);
  expect(new Set(rig.taken("shop"))).toEqual(new Set(ids));
  expect(rig.events.filter(({ event }) => event === "dispatchFailed")).toEqual([]);
});

test("a stop lets requests under way end, starts no others and hands the endpoint over at once", async () => {
  await using rig = await createRig({ receivers: { shop: () => ({ ms: 1_500, answer: OK }) } });
  const ids = await rig.end(20);
  const first = rig.process();
  await rig.run(SECOND);
  const stopped = first.stop();
  const second = rig.process("q");
  await rig.run(600);
  await stopped;
  expect(rig.taken("shop")).toEqual(ids.slice(0, 8));
  await rig.run(10 * SECOND);
  expect(rig.taken("shop")).toEqual(ids);
  expect(second.life.dead).toBe(false);
});

test("a stop cuts requests that take too long, which are repeated", async () => {
  await using rig = await createRig({
    receivers: { shop: (_id, at) => ({ ms: at < 5_000 ? 14_000 : 10, answer: OK }) },
  });
  const first = rig.process();
  const [id = ""] = await rig.end();
  await rig.run(SECOND);
  let isStopped = false;
  void first.stop().then(() => {
    isStopped = true;
  });
  await rig.run(2_100);
  expect(isStopped).toBe(true);
  await rig.run(5 * SECOND);
  rig.process("q");
  await rig.run(5 * SECOND);
  expect(rig.tries(id)).toHaveLength(2);
});
