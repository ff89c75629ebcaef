import { expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { formatChinaTime } from "../../src/sandbox/vendor/reply.ts";
import { frozenClock, withSandbox } from "./merchant.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test("times are formatted in China's time zone", () => {
  expect(formatChinaTime(Date.UTC(2020, 11, 31, 16, 0, 1))).toBe("20210101000001");
});

test("the sandbox clock starts at wall time, keeps running, and turns only forward", () => {
  let monotonic = 5000;
  const clock = createTurnableClock({ ...frozenClock(), monotonic: () => monotonic });
  expect(clock.now()).toBe(Date.UTC(2026, 0, 1));
  monotonic += 10;
  clock.advance(HOUR);
  expect(clock.now()).toBe(Date.UTC(2026, 0, 1) + HOUR + 10);
  expect(() => clock.advance(-1)).toThrow(RangeError);
  expect(() => clock.advance(Number.NaN)).toThrow(RangeError);
});

test("a sleep on the sandbox clock ends when due, when the clock is turned, or by its signal", async () => {
  const real = createTurnableClock(systemClock);
  await real.sleep(1, new AbortController().signal);
  const clock = createTurnableClock(frozenClock());
  const asleep = clock.sleep(1000, new AbortController().signal);
  clock.advance(400);
  clock.advance(600);
  await asleep;
  const leaver = new AbortController();
  const cut = clock.sleep(1000, leaver.signal);
  leaver.abort(new Error("left"));
  await expect(cut).rejects.toThrow("left");
});

test("a token lives 7200 s, and reports that as a number", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const token = await merchant.fetchToken();
    expect(token).toMatchObject({ code: "0", expire_in: 7200 });
    expect(token.access_token).toMatch(/^[0-9A-Za-z-]{64}$/);
    expect(token.expire_time).toMatch(/^\d{14}$/);
    sandbox.advance(2 * HOUR - 1);
    expect(await merchant.fetchTicket(token.access_token ?? "")).toMatchObject({ code: "0" });
    sandbox.advance(1);
    expect(await merchant.fetchTicket(token.access_token ?? "")).toMatchObject({ code: "400103" });
    expect(merchant.rules()).toEqual(["token_dead"]);
  }));

test("the previous token and its tickets live on for 60 s after a new token", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const old = await merchant.refresh();
    const launch = await merchant.launch(old);
    await merchant.fetchToken();
    sandbox.advance(60 * SECOND - 1);
    expect(await merchant.upload(old.ticket)).toMatchObject({ code: "0" });
    expect(await merchant.fetchTicket(old.token, { type: "NONCE", user_id: "user2" })).toMatchObject({
      code: "0",
    });
    sandbox.advance(1);
    expect(await merchant.upload(old.ticket)).toMatchObject({ code: "400101" });
    expect(await merchant.fetchTicket(old.token)).toMatchObject({ code: "400103" });
    expect(await merchant.play(launch)).toMatchObject({ code: "400101", result: { isSuccess: false } });
    expect(merchant.rules()).toEqual(["sign_ticket_dead", "token_dead", "nonce_ticket_dead"]);
  }));

test("the overlap can be shortened for drills", () =>
  withSandbox({ overlapMs: 6 * SECOND, tokenLifeMs: 60 * SECOND }, async (sandbox, merchant) => {
    const old = await merchant.refresh();
    expect(await merchant.fetchToken()).toMatchObject({ expire_in: 60 });
    sandbox.advance(6 * SECOND);
    expect(await merchant.upload(old.ticket)).toMatchObject({ code: "400101" });
  }));

test("a SIGN ticket lives 3600 s, or 60 s after a newer one", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { token, ticket } = await merchant.refresh();
    const next = await merchant.fetchTicket(token);
    expect(next.tickets).toEqual([expect.objectContaining({ expire_in: 3600 })]);
    const ticket2 = next.tickets?.[0]?.value ?? "";
    expect(await merchant.upload(ticket)).toMatchObject({ code: "0" });
    sandbox.advance(60 * SECOND);
    expect(await merchant.upload(ticket)).toMatchObject({ code: "400101" });
    expect(await merchant.upload(ticket2)).toMatchObject({ code: "0" });
    sandbox.advance(HOUR);
    expect(await merchant.upload(ticket2)).toMatchObject({ code: "400101" });
    expect(merchant.rules()).toEqual(["sign_ticket_dead", "sign_ticket_dead"]);
  }));

test("a NONCE ticket lives 120 s", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const pair = await merchant.refresh();
    const launch = await merchant.launch(pair);
    sandbox.advance(120 * SECOND - 1);
    expect(await merchant.play(launch)).toMatchObject({ code: "0" });
    const late = await merchant.launch(pair);
    sandbox.advance(120 * SECOND);
    expect(await merchant.play(late)).toMatchObject({ code: "400101" });
    expect(merchant.rules()).toEqual(["nonce_ticket_dead"]);
  }));

test("a user gets at most one NONCE ticket per 2 s", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { token } = await merchant.refresh();
    const nonce = (user: string) => merchant.fetchTicket(token, { type: "NONCE", user_id: user });
    expect((await nonce("user1")).tickets).toEqual([expect.objectContaining({ expire_in: 120 })]);
    expect(await nonce("user1")).toMatchObject({ code: "400504" });
    expect(await nonce("user2")).toMatchObject({ code: "0" });
    sandbox.advance(2 * SECOND);
    expect(await nonce("user1")).toMatchObject({ code: "0" });
    expect(merchant.rules()).toEqual(["nonce_too_frequent"]);
  }));

test("a faceId lives 5 min", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const pair = await merchant.refresh();
    const old = await merchant.launch(pair);
    sandbox.advance(5 * 60 * SECOND);
    const fresh = await merchant.launch(pair);
    expect(await merchant.play({ ...fresh, order_no: old.order_no, face_id: old.face_id })).toMatchObject({
      code: "66660018",
    });
    expect(merchant.rules()).toEqual(["face_id_expired"]);
  }));

test("a record is purged 3 days after its completion", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const launch = await merchant.launch(await merchant.refresh());
    await merchant.play(launch);
    sandbox.advance(3 * DAY - 60 * SECOND);
    expect(await merchant.query((await merchant.refresh()).ticket, launch.order_no)).toMatchObject({
      code: "0",
    });
    sandbox.advance(61 * SECOND);
    expect(await merchant.query((await merchant.refresh()).ticket, launch.order_no)).toMatchObject({
      code: "66660011",
    });
  }));

test("a changed secret kills tokens and tickets immediately", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { token, ticket } = await merchant.refresh();
    const old = sandbox.secret;
    sandbox.changeSecret("s".repeat(64));
    expect(await merchant.upload(ticket)).toMatchObject({ code: "400101" });
    expect(await merchant.fetchTicket(token)).toMatchObject({ code: "400103" });
    expect(await merchant.fetchToken({ secret: old })).toMatchObject({ code: "400104" });
    expect(await merchant.fetchToken()).toMatchObject({ code: "0" });
  }));

test("the current token survives a foreign rotation for the overlap, and a revocation not at all", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const first = await merchant.refresh();
    sandbox.rotate();
    expect(sandbox.stats.tokenGeneration).toBe(2);
    sandbox.advance(59 * SECOND);
    expect(await merchant.upload(first.ticket)).toMatchObject({ code: "0" });
    sandbox.advance(2 * SECOND);
    expect(await merchant.upload(first.ticket)).toMatchObject({ code: "400101" });
    const second = await merchant.refresh();
    sandbox.revoke();
    expect(await merchant.upload(second.ticket)).toMatchObject({ code: "400101" });
  }));
