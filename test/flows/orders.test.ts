import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createService } from "../../src/service.ts";
import { createMemoryRegister, createMemoryStore } from "../../src/tickets/stores/memory-store.ts";
import { eventually, type Harness, startHarness } from "../support/harness.ts";
import { createTestLedger, type OrdersHarness, startOrders } from "../support/orders.ts";

const { getFaceParams, getResult, listOrders } = FaceVerificationService.method;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const person = { name: "张三", id_no: "11010519491231002X" };

async function launch(harness: Harness, more: Record<string, string> = {}) {
  const { status, body } = await harness.form("/get_face_params", { ...person, ...more });
  expect([status, body.code]).toEqual([200, "0"]);
  return body.result as Record<string, string> & { order_no: string };
}

async function unwritten({ admin }: Harness): Promise<string | undefined> {
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  return /^faceid_ledger_rows_unwritten\S* (\d+)$/m.exec(metrics)?.[1];
}

const stateOf = async ({ ledger }: OrdersHarness, orderNo: string) => (await ledger.find(orderNo))?.state;
const queries = (harness: Harness) => harness.wire.of("query").length;
const TOKEN = "0123456789abcdef";
const env = { HTTP_AUTH_TOKENS: `shop:${TOKEN}` };
const list = (harness: Harness, message: unknown) =>
  harness.json("ListOrders", message, { authorization: `Bearer ${TOKEN}` });

describe.concurrent("an order ends by itself", () => {
  test("a verdict is in the ledger within a minute of the capture's end, and stays when the vendor has erased it", async () => {
    await using harness = await startOrders({ sandbox: { recordLifeMs: 30 * MINUTE } });
    const params = await launch(harness, { reference: "loan 7" });
    await harness.turn(95 * SECOND);
    expect(await stateOf(harness, params.order_no)).toBe(OrderState.CREATED);
    await harness.playSdk(params, "not_same_person");
    await harness.turn(60 * SECOND);
    expect(await harness.ledger.find(params.order_no)).toMatchObject({
      reference: "loan 7",
      userId: params["user_id"],
      livemode: false,
      end: {
        state: OrderState.COMPLETED,
        judgement: { verdict: Verdict.FAILED },
        evidence: { code: "66660004" },
      },
    });
    // Looks at 20, 60 and 100 s, and none once it has ended.
    const asked = queries(harness);
    expect(asked).toBe(3);
    await harness.turn(HOUR, 20 * MINUTE);
    expect(queries(harness)).toBe(asked);

    const { orderNo } = { orderNo: params.order_no };
    const form = await harness.form("/get_result", { order_no: orderNo });
    expect(form.body).toMatchObject({
      code: "66660004",
      result: { verdict: "FAILED", reason: "NOT_SAME_PERSON" },
    });
    const json = await harness.json("GetResult", { orderNo });
    const message = await harness.grpcClient.unary(getResult, { orderNo });
    expect(json.body).toMatchObject({ verdict: "VERDICT_FAILED", bizSeqNo: message.bizSeqNo, billed: true });
    expect(message).toMatchObject({ verdict: Verdict.FAILED, similarity: form.body.result.similarity });
    expect(queries(harness)).toBe(asked);
    expect(harness.sandbox.breaches).toEqual([]);
    expect(harness.logs).toContainEqual(
      expect.objectContaining({
        event: "order_ended",
        order_no: orderNo,
        verdict: "FAILED",
        by: "collector",
      }),
    );
  });

  test("an order whose app was killed expires, by the schedule's looks and no more", async () => {
    await using harness = await startOrders();
    const { order_no: orderNo } = await launch(harness);
    await harness.turn(7 * MINUTE, 10 * SECOND);
    await harness.turn(18 * MINUTE, MINUTE);
    expect(await stateOf(harness, orderNo)).toBe(OrderState.CREATED);
    await harness.turn(15 * MINUTE, MINUTE);
    expect(await stateOf(harness, orderNo)).toBe(OrderState.EXPIRED);
    const asked = queries(harness);
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThanOrEqual(14);
    await harness.turn(5 * HOUR, 30 * MINUTE);
    const result = await harness.grpcClient.unary(getResult, { orderNo });
    expect(result).toMatchObject({
      verdict: Verdict.NOT_COMPLETED,
      reason: VerdictReason.NO_RECORD,
      code: "66660011",
    });
    expect(queries(harness)).toBe(asked);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("a caller's look ends the order, and the collector looks no more", async () => {
    await using harness = await startOrders();
    const params = await launch(harness);
    await harness.playSdk(params, "passed");
    const result = await harness.form("/get_result", { order_no: params.order_no });
    expect(result.body.result.verdict).toBe("PASSED");
    expect(await stateOf(harness, params.order_no)).toBe(OrderState.COMPLETED);
    await harness.turn(2 * MINUTE);
    expect(queries(harness)).toBe(1);
    expect(harness.logs).toContainEqual(
      expect.objectContaining({ event: "order_ended", by: "caller", verdict: "PASSED" }),
    );
  });

  test("a finished order's files are asked for in one call for them alone", async () => {
    await using harness = await startOrders();
    const params = await launch(harness);
    await harness.playSdk(params, "passed");
    await harness.turn(30 * SECOND);
    const result = await harness.grpcClient.unary(getResult, {
      orderNo: params.order_no,
      includeMedia: true,
    });
    expect(result.verdict).toBe(Verdict.PASSED);
    expect(result.media?.photo.length).toBeGreaterThan(0);
    expect(harness.wire.of("query").map(({ body }) => body["getFile"])).toEqual([undefined, "1"]);
  });

  test("a vendor that is down for hours: orders end once it is back", async () => {
    await using harness = await startOrders();
    const played = await launch(harness, { user_id: "one" });
    await harness.playSdk(played, "passed");
    const killed = await launch(harness, { user_id: "two" });
    harness.wire.instead = ({ endpoint }) => (endpoint === "query" ? { status: 503, body: "" } : undefined);
    await harness.turn(6 * MINUTE);
    await harness.turn(4 * HOUR, 20 * MINUTE);
    expect(await stateOf(harness, played.order_no)).toBe(OrderState.CREATED);
    harness.wire.instead = undefined;
    await harness.turn(40 * MINUTE, MINUTE);
    expect(await stateOf(harness, played.order_no)).toBe(OrderState.COMPLETED);
    await harness.turn(HOUR, 10 * MINUTE);
    expect(await stateOf(harness, killed.order_no)).toBe(OrderState.EXPIRED);
  });

  test("an end that stands against a later answer is the answer, and the difference is reported", async () => {
    await using harness = await startOrders();
    const params = await launch(harness);
    await harness.playSdk(params, "passed");
    const end = {
      state: OrderState.UNKNOWN,
      endedAt: harness.clock.now(),
      judgement: undefined,
      evidence: { code: "" },
    } as const;
    await harness.ledger.end(params.order_no, end, { endpoints: [] });
    // UNKNOWN is no answer: the vendor is asked.
    const result = await harness.form("/get_result", { order_no: params.order_no });
    expect(result.body.result.verdict).toBe("PASSED");
    expect(await stateOf(harness, params.order_no)).toBe(OrderState.UNKNOWN);
    expect(harness.logs).toContainEqual(
      expect.objectContaining({ event: "order_contradicted", kept: "UNKNOWN", answered: "PASSED" }),
    );
  });

  test("a vendor that is down for four days leaves an order unknown, which says nothing about the person", async () => {
    await using harness = await startOrders();
    const { order_no: orderNo } = await launch(harness);
    harness.wire.instead = ({ endpoint }) => (endpoint === "query" ? { status: 503, body: "" } : undefined);
    await harness.turn(72 * HOUR, 30 * MINUTE);
    expect(await stateOf(harness, orderNo)).toBe(OrderState.CREATED);
    await harness.turn(3 * HOUR, 30 * MINUTE);
    expect(await stateOf(harness, orderNo)).toBe(OrderState.UNKNOWN);
    // As without a ledger: the vendor's trouble, and no verdict.
    const result = await harness.form("/get_result", { order_no: orderNo });
    expect([result.status, result.body.reason]).toEqual([503, "UPSTREAM_UNAVAILABLE"]);
  });

  test("a process of the role serve records launches and claims none", async () => {
    const clock = createTurnableClock(systemClock);
    const register = createMemoryRegister(clock);
    await using all = await startOrders({ overrides: { store: createMemoryStore(register) } }, clock);
    const ledger = createTestLedger(clock);
    let claims = 0;
    const counted = new Proxy(ledger, {
      get(target, name) {
        if (name === "claim") claims += 1;
        return Reflect.get(target, name) as unknown;
      },
    });
    const serving = createService(
      { ...all.config, role: "serve" },
      { clock, ledger: counted, store: createMemoryStore(register), logSink: { write: () => undefined } },
    );
    await serving.start();
    try {
      await eventually(() => serving.readiness().ready);
      const { http } = serving.addresses();
      const body = new URLSearchParams(person);
      const answer = await fetch(`http://${http}/get_face_params`, { method: "POST", body });
      expect(answer.status).toBe(200);
      await all.turn(2 * MINUTE);
      expect(await ledger.counts()).toMatchObject({ open: 1 });
      expect(claims).toBe(0);
    } finally {
      await serving.stop();
    }
  });

  test("a service is ready once its doors are open, and not while its ledger is being opened", async () => {
    const clock = createTurnableClock(systemClock);
    await using all = await startOrders({}, clock);
    const opening = Promise.withResolvers<undefined>();
    const slow = { ...createTestLedger(clock), open: () => opening.promise };
    const store = createMemoryStore(createMemoryRegister(clock));
    const overrides = { clock, ledger: slow, store, logSink: { write: () => undefined } };
    const service = createService({ ...all.config }, overrides);
    const started = service.start();
    try {
      await eventually(() => all.sandbox.stats.calls.sign_ticket >= 2);
      expect(service.readiness()).toEqual({ ready: false, reason: "starting" });
      opening.resolve(undefined);
      await started;
      await eventually(() => service.readiness().ready);
    } finally {
      await service.stop();
    }
  });

  test("two services on one ledger: each order is looked at by one at a time, within the schedule of one", async () => {
    const clock = createTurnableClock(systemClock);
    const register = createMemoryRegister(clock);
    await using one = await startOrders({ overrides: { store: createMemoryStore(register) } }, clock);
    const { sandbox, ledger } = one;
    const second = createService(one.config, {
      clock,
      ledger,
      store: createMemoryStore(register),
      logSink: { write: () => undefined },
    });
    await second.start();
    try {
      const numbers: string[] = [];
      for (let i = 0; i < 6; i++) numbers.push((await launch(one, { user_id: `user${i}` })).order_no);
      await one.turn(3 * MINUTE);
      for (const orderNo of numbers) {
        const asked = one.wire.of("query").filter(({ query }) => query["orderNo"] === orderNo);
        expect(asked.length).toBeGreaterThanOrEqual(3);
        expect(asked.length).toBeLessThanOrEqual(5);
      }
      expect(sandbox.breaches).toEqual([]);
    } finally {
      await second.stop();
    }
  });
});

describe.concurrent("a launch and its row", () => {
  test("a refused pair leaves one order: that of the number that was answered", async () => {
    await using harness = await startOrders();
    harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code: "400101" });
    const { order_no: orderNo } = await launch(harness);
    const { orders } = await harness.grpcClient.unary(listOrders, {});
    expect(orders.map((order) => order.orderNo)).toEqual([orderNo]);
    expect(harness.wire.of("upload")).toHaveLength(2);
  });

  test("a launch that failed leaves none", async () => {
    await using harness = await startOrders();
    harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code: "66660010" });
    const failed = await harness.form("/get_face_params", person);
    expect(failed.body.reason).toBe("IDENTITY_REJECTED");
    await expect.poll(() => harness.ledger.counts()).toMatchObject({ open: 0 });
  });

  test("a caller's own order number that came twice loses nothing of its first launch", async () => {
    await using harness = await startOrders();
    const message = { name: person.name, idNo: person.id_no, orderNo: "mine1", userId: "u1" };
    await harness.grpcClient.unary(getFaceParams, message);
    await expect(harness.grpcClient.unary(getFaceParams, { ...message, userId: "u2" })).rejects.toThrow();
    expect(await harness.ledger.find("mine1")).toMatchObject({ userId: "u1", state: OrderState.CREATED });
  });

  test("while the ledger is unreachable launches and results go on, and its rows are written when it is back", async () => {
    await using harness = await startOrders();
    harness.ledger.down = true;
    const params = [];
    for (let i = 0; i < 5; i++) params.push(await launch(harness, { user_id: `user${i}` }));
    await harness.playSdk(params[0] ?? {}, "passed");
    const result = await harness.form("/get_result", { order_no: params[0]?.order_no ?? "" });
    expect(result.body.result.verdict).toBe("PASSED");
    expect(harness.service.readiness().ready).toBe(true);
    await expect(harness.grpcClient.unary(listOrders, {})).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    expect(await unwritten(harness)).toBe("6");

    harness.ledger.down = false;
    harness.clock.advance(10 * SECOND);
    await expect.poll(() => harness.ledger.counts(), { timeout: 20_000 }).toMatchObject({ open: 4 });
    expect(await stateOf(harness, params[0]?.order_no ?? "")).toBe(OrderState.COMPLETED);
    expect(await unwritten(harness)).toBe("0");
  });

  test("an order that is still waiting to be written when the process ends is counted as lost", async () => {
    const harness = await startOrders();
    harness.ledger.down = true;
    await launch(harness);
    await harness.stop();
    expect(harness.logs).toContainEqual(
      expect.objectContaining({ event: "orders_lost", rows: 1, why: "the process ends" }),
    );
  });
});

describe.concurrent("a request id holds for a day", () => {
  test("the same launch an hour later, by any door; other parameters are refused; a day later it is free", async () => {
    await using harness = await startOrders();
    const first = await launch(harness, { request_id: "r1" });
    await harness.turn(HOUR, 20 * MINUTE);
    const again = await launch(harness, { request_id: "r1" });
    expect({ ...again, server_time: "" }).toEqual({ ...first, server_time: "" });
    const json = await harness.json("GetFaceParams", {
      name: person.name,
      idNo: person.id_no,
      requestId: "r1",
    });
    expect(json.body.orderNo).toBe(first.order_no);
    expect(harness.wire.of("upload")).toHaveLength(1);
    const other = await harness.form("/get_face_params", { ...person, name: "李四", request_id: "r1" });
    expect([other.status, other.body.reason]).toEqual([409, "REQUEST_ID_REUSED"]);
    await harness.turn(24 * HOUR, 30 * MINUTE);
    expect((await launch(harness, { request_id: "r1" })).order_no).not.toBe(first.order_no);
  });
});

/** A launch by gRPC, where this caller is internal. */
const listed = (harness: Harness, { user_id: userId = "", reference = "" }) =>
  harness.grpcClient.unary(getFaceParams, { name: person.name, idNo: person.id_no, userId, reference });

describe.concurrent("ListOrders", () => {
  test("pages are newest first, without gap or repeat, by gRPC and JSON", async () => {
    await using harness = await startOrders({ env });
    const made: string[] = [];
    for (let i = 0; i < 5; i++) {
      const params = await listed(harness, { user_id: `user${i % 2}`, reference: i === 3 ? "r" : "" });
      made.unshift(params.orderNo);
      harness.clock.advance(3 * SECOND);
    }
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await harness.grpcClient.unary(listOrders, { pageSize: 2, pageToken });
      seen.push(...page.orders.map(({ orderNo }) => orderNo));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(made);
    const json = await list(harness, { userId: "user1" });
    expect(json.body.orders).toMatchObject([
      { orderNo: made[1], state: "ORDER_STATE_CREATED", reference: "r", userId: "user1" },
      { orderNo: made[3], state: "ORDER_STATE_CREATED" },
    ]);
    expect(json.body.nextPageToken).toBe("");
    const byReference = await harness.grpcClient.unary(listOrders, { reference: "r" });
    expect(byReference.orders.map(({ orderNo }) => orderNo)).toEqual([made[1]]);
    const times = byReference.orders[0]?.createTime;
    const since = await harness.grpcClient.unary(listOrders, { createdSince: times });
    const before = await harness.grpcClient.unary(listOrders, { createdBefore: times });
    expect([since.orders.length, before.orders.length]).toEqual([2, 3]);
    const none = await harness.grpcClient.unary(listOrders, { state: OrderState.COMPLETED });
    expect(none.orders).toEqual([]);
    // Outside of what a date can be.
    const far = await harness.grpcClient.unary(listOrders, {
      createdBefore: { seconds: 2n ** 62n, nanos: 0 },
    });
    expect(far.orders).toHaveLength(5);
  });

  test("a page token is good for its own filter only", async () => {
    await using harness = await startOrders({ env });
    await listed(harness, { user_id: "a" });
    await listed(harness, { user_id: "b" });
    const { nextPageToken } = await harness.grpcClient.unary(listOrders, { pageSize: 1 });
    for (const message of [
      { pageToken: nextPageToken, userId: "a" },
      { pageToken: `${nextPageToken}1` },
      { pageToken: "x" },
      { pageToken: "张" },
    ]) {
      const refused = await list(harness, message);
      expect(refused.status).toBe(400);
      expect(JSON.stringify(refused.body.details)).toContain("page_token.unknown");
    }
  });

  test("it is for internal callers, and needs a ledger", async () => {
    await using harness = await startOrders();
    expect((await harness.json("ListOrders", {})).status).toBe(403);
    await using without = await startHarness();
    await expect(without.grpcClient.unary(listOrders, {})).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
  });
});
