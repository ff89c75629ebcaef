import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { VerificationLinkState as State } from "../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { eventually, type Harness, startHarness } from "../support/harness.ts";
import {
  createVisitor,
  DESKTOP,
  PERSON,
  PHONE,
  PUBLIC_URL,
  SAME_SITE,
  statusOf,
  type Visitor,
} from "./rig.ts";

const MINUTE = 60_000;
const clock = createTurnableClock(systemClock);
const RETURN_URL = "https://shop.example/verified";

const directory = mkdtempSync(join(tmpdir(), "links-"));
const audit = join(directory, "audit");

let harness: Harness;
let visitor: Visitor;
let sandbox: Sandbox;
beforeAll(async () => {
  harness = await startHarness({
    sandbox: { sharedClock: clock },
    overrides: { clock },
    env: {
      PUBLIC_URL,
      LINK_RETURN_URLS: RETURN_URL,
      LEDGER_URL: "memory:",
      FACEID_EDITION: "basic",
      AUDIT_LOG: audit,
    },
  });
  ({ sandbox } = harness);
  visitor = createVisitor(() => harness.http, harness.grpcClient);
});
afterAll(async () => {
  await harness.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  // Everybody is somebody else, two seconds later: the vendor spaces the launches of one person.
  clock.advance(3_000);
  harness.sandbox.clearBreaches();
  harness.sandbox.faults.clear();
});

/** Uploads and NONCE tickets so far: what a launch costs. The collector's queries come by themselves. */
const spent = () => harness.wire.of("upload").length + harness.wire.of("nonce_ticket").length;
const queriesOf = (orderNo: string | null) =>
  harness.wire.of("query").filter(({ body }) => body["orderNo"] === orderNo).length;
const metric = async (name: string) => {
  const text = await (await fetch(`${harness.admin}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(name))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
};

/** Fetches the vendor's page of a launch URL, chooses the outcome, and resolves to where the browser is sent. */
async function capture(launchUrl = "", outcome = "passed"): Promise<string> {
  const page = await fetch(launchUrl.replace(harness.wire.url, harness.sandbox.url), { redirect: "manual" });
  const session = new URL(page.headers.get("location") ?? "", harness.sandbox.url);
  const sent = await fetch(session, {
    method: "POST",
    body: new URLSearchParams({ outcome }),
    redirect: "manual",
  });
  return sent.headers.get("location") ?? "";
}

/** From a new link to the browser's way back. */
async function walk(outcome: string, request = {}) {
  const link = await visitor.create(request);
  const { location } = await visitor.press(link.url);
  const callback = await capture(location, outcome);
  return { ...link, callback, back: await visitor.visit(callback) };
}

describe("a link that is fetched", () => {
  const bots = [
    { "user-agent": "WhatsApp/2.24" },
    { "user-agent": "facebookexternalhit/1.1" },
    { "user-agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)" },
    { ...DESKTOP, "sec-purpose": "prefetch;prerender" },
    { ...DESKTOP, purpose: "prefetch" },
    { ...DESKTOP, "x-moz": "prefetch" },
  ];

  test("costs no call to the vendor, by whatever means, and works 29 minutes later", async () => {
    const { url, linkId } = await visitor.create();
    const before = spent();
    for (let i = 0; i < 20; i++) {
      const headers = bots[i % bots.length] ?? {};
      const answer = await visitor.visit(url, { method: i % 3 === 0 ? "HEAD" : "GET", headers });
      expect(answer.status).toBe(200);
      expect(answer.text === "").toBe(i % 3 === 0);
      expect((await visitor.visit(`${url}/start`, { headers })).location).toBe(url);
    }
    expect(spent()).toBe(before);
    clock.advance(29 * MINUTE);
    await eventually(() => harness.service.readiness().ready);
    const { location } = await visitor.press(url);
    await visitor.visit(await capture(location));
    expect(await visitor.get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
    expect(sandbox.breaches).toEqual([]);
  });

  test("holds no URL of the vendor's, nothing about the person and no script of its own", async () => {
    const { url } = await visitor.create({ userId: "nobody1" });
    for (const headers of [PHONE, DESKTOP, { ...PHONE, "accept-language": "en" }]) {
      const { text } = await visitor.open(url, headers);
      for (const secret of [harness.wire.url, "qcloud", "/login", PERSON.name, PERSON.idNo, "nobody1"]) {
        expect(text).not.toContain(secret);
      }
      expect(text).not.toMatch(/<style|<script(?![^>]* src="page.js")|\son\w+=|javascript:/);
    }
  });

  test("is served under a strict policy, to be neither stored nor framed", async () => {
    const { url } = await visitor.create();
    for (const path of ["", "/state", "/return?code=0&orderNo=x", "/nothing"]) {
      const { headers } = await visitor.visit(url + path);
      expect(headers.get("content-security-policy"), path).toMatch(
        /^default-src 'none'; style-src 'self'; script-src 'self';/,
      );
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("speaks the browser's language, or the one that was chosen, which comes along", async () => {
    const { url } = await visitor.create();
    const languageOf = (text: string) => /<html lang="([^"]+)"/.exec(text)?.[1];
    expect(languageOf((await visitor.open(url)).text)).toBe("zh-CN");
    expect(
      languageOf((await visitor.open(url, { ...PHONE, "accept-language": "en-GB,zh;q=0.5" })).text),
    ).toBe("en");
    const chosen = await visitor.open(`${url}?lang=en`, { ...PHONE, "accept-language": "zh" });
    expect(languageOf(chosen.text)).toBe("en");
    expect(chosen.text).toMatch(/action="\w+\/start\?device=mobile&amp;lang=en"/);
    const { location } = await visitor.press(url, SAME_SITE, "?lang=en");
    expect((await visitor.visit(await capture(location, "blurred"))).location).toBe(`${url}?lang=en`);
  });

  test("an id that is none, or another, is a page without detail", async () => {
    const { url } = await visitor.create();
    const before = spent();
    for (const id of [
      "x",
      "a".repeat(22),
      "%2e%2e",
      "a".repeat(2_000),
      "%00",
      "<script>",
      `${url.slice(-22)}x`,
    ]) {
      for (const path of ["", "/state", "/return?code=0", "/start"]) {
        const { status, text } = await visitor.visit(`/v/${id}${path}`);
        if (path === "/start" && /^\w{22}$/.test(id)) continue;
        expect([400, 404, 414], `${id}${path}`).toContain(status);
        expect(text).not.toContain("<script>");
      }
      expect([400, 404]).toContain((await visitor.press(`/v/${id}`)).status);
    }
    expect(spent()).toBe(before);
  });
});

describe("the button", () => {
  test("is pressed by its own page alone", async () => {
    const { url } = await visitor.create();
    const before = spent();
    for (const headers of [
      { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      { "sec-fetch-site": "same-site", origin: "https://other.verify.example" },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "same-origin", origin: "https://evil.example" },
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://verify.example" },
    ]) {
      const { status, text } = await visitor.press(url, headers);
      expect(status, JSON.stringify(headers)).toBe(403);
      expect(text).toContain("<main>");
    }
    expect(spent()).toBe(before);
    expect((await visitor.press(url, { "sec-fetch-site": "same-origin", origin: "null" })).status).toBe(303);
  });

  test("takes no body but an empty form's, and no other method", async () => {
    const { url } = await visitor.create();
    const before = spent();
    const post = (type: string, body: string) =>
      visitor.visit(`${url}/start`, {
        method: "POST",
        body,
        headers: { ...SAME_SITE, "content-type": type },
      });
    expect((await post("application/json", "{}")).status).toBe(415);
    expect((await post("text/plain", "x")).status).toBe(415);
    expect((await post("application/x-www-form-urlencoded", "x".repeat(5_000))).status).toBe(413);
    for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
      expect((await visitor.visit(`${url}/start`, { method, headers: SAME_SITE })).status).toBe(404);
    }
    expect(spent()).toBe(before);
    expect((await post("application/x-www-form-urlencoded", "")).status).toBe(303);
  });

  test("pressed twice within two seconds is one launch", async () => {
    const { url } = await visitor.create();
    const before = spent();
    const [first, second] = await Promise.all([visitor.press(url), visitor.press(url)]);
    expect(second?.location).toBe(first?.location);
    clock.advance(1_500);
    expect((await visitor.press(url)).location).toBe(first?.location);
    expect(spent() - before).toBe(2);
    clock.advance(2_500);
    expect((await visitor.press(url)).location).not.toBe(first?.location);
    expect(sandbox.breaches).toEqual([]);
  });

  test("that fails at the vendor says so on a page, and uses no attempt up", async () => {
    const { url, linkId } = await visitor.create();
    sandbox.faults.add({ endpoint: "upload", kind: "status", times: 1 });
    const { status, text } = await visitor.press(url, { ...SAME_SITE, "accept-language": "en" });
    expect(status).toBe(503);
    expect(text).toContain("not your fault");
    expect(text).toContain(`href="../${linkId}"`);
    expect((await visitor.get(linkId)).attempts).toEqual([]);
    clock.advance(3_000);
    expect((await visitor.press(url)).status).toBe(303);
  });

  test("of an identity that the vendor refuses says whom to ask", async () => {
    const { url } = await visitor.create({ idNo: "119999199001011015" });
    const { status, text } = await visitor.press(url, { ...SAME_SITE, "accept-language": "en" });
    expect(status).toBe(400);
    expect(text).toContain("was not accepted");
  });
});

describe("the end", () => {
  test.each([
    ["passed", State.COMPLETED, Verdict.PASSED],
    ["not_same_person", State.COMPLETED, Verdict.FAILED],
    ["name_id_mismatch", State.COMPLETED, Verdict.FAILED],
    ["no_source_photo", State.COMPLETED, Verdict.INCONCLUSIVE],
    ["daily_limit", State.COMPLETED, Verdict.INCONCLUSIVE],
    ["blurred", State.WAITING, Verdict.UNSPECIFIED],
    ["liveness_attack", State.WAITING, Verdict.UNSPECIFIED],
    ["abandoned", State.WAITING, Verdict.UNSPECIFIED],
    ["3004", State.WAITING, Verdict.UNSPECIFIED],
  ])("the outcome %s leaves the link %s", async (outcome, state, verdict) => {
    const { linkId, url, back } = await walk(outcome, { returnUrl: RETURN_URL });
    expect(await visitor.get(linkId)).toMatchObject({ state, verdict });
    const isDone = state === State.COMPLETED;
    expect(back.location).toBe(isDone ? `${RETURN_URL}?link_id=${linkId}` : url);
    expect(sandbox.breaches).toEqual([]);
  });

  test.each([
    ["3001", "another browser"],
    ["3002", "Allow cookies"],
    ["3003", "interrupted"],
    ["3004", "camera was not allowed"],
    ["3005", "another browser"],
    ["300101", "Start again"],
    ["blurred", "good light"],
  ])("the code %s becomes a next step in words", async (outcome, words) => {
    const { url } = await walk(outcome);
    const { text } = await visitor.open(url, { ...PHONE, "accept-language": "en" });
    expect(text).toContain(words);
    expect(text).toContain("<button");
  });

  test("a magic person's outcome is the one that the page offers first", async () => {
    const { url } = await visitor.create({ idNo: "119999199001010020" });
    const { location = "" } = await visitor.press(url);
    const page = await (await fetch(location.replace(harness.wire.url, harness.sandbox.url))).text();
    expect(page).toContain('value="not_same_person" class="first"');
  });

  test("attempts that are used up end the link, with the way on to the caller", async () => {
    const { url, linkId } = await visitor.create({ maxAttempts: 2, returnUrl: RETURN_URL });
    for (let attempt = 0; attempt < 2; attempt++) {
      clock.advance(3_000);
      await visitor.visit(await capture((await visitor.press(url)).location, "3004"));
    }
    expect((await visitor.get(linkId)).state).toBe(State.EXPIRED);
    expect((await visitor.press(url)).location).toBe(url);
    expect((await visitor.open(url)).text).toContain(`${RETURN_URL}?link_id=${linkId}`);
  });

  test("the identity is erased at the end, so that a press can upload nothing", async () => {
    const { url } = await walk("passed");
    const before = spent();
    clock.advance(5_000);
    expect((await visitor.press(url)).location).toBe(url);
    expect(spent()).toBe(before);
  });

  test("a revoked link starts nothing; revoking it again, or a completed one, changes nothing", async () => {
    const { url, linkId } = await visitor.create();
    expect((await visitor.revoke(linkId)).state).toBe(State.REVOKED);
    expect((await visitor.revoke(linkId)).state).toBe(State.REVOKED);
    expect((await visitor.press(url)).location).toBe(url);
    expect((await visitor.open(url, { ...PHONE, "accept-language": "en" })).text).toContain("withdrawn");
    const done = await walk("passed", { userId: "revoked2" });
    expect((await visitor.revoke(done.linkId)).state).toBe(State.COMPLETED);
    expect(await statusOf(visitor.revoke("a".repeat(22)))).toBe(grpc.status.NOT_FOUND);
  });
});

describe("orders of a link", () => {
  test("GetResult, ListOrders and the events know them by link_id, and no public caller reads them", async () => {
    const { linkId } = await walk("passed", { reference: "loan-9" });
    const [attempt] = (await visitor.get(linkId)).attempts;
    const orderNo = attempt?.orderNo ?? "";
    const { getResult, listOrders } = FaceVerificationService.method;
    expect(await harness.grpcClient.unary(getResult, { orderNo })).toMatchObject({
      linkId,
      verdict: Verdict.PASSED,
    });
    const listed = await harness.grpcClient.unary(listOrders, { linkId });
    expect(listed.orders).toMatchObject([{ orderNo, linkId, reference: "loan-9" }]);
    expect((await harness.grpcClient.unary(listOrders, { linkId: "b".repeat(22) })).orders).toEqual([]);
    expect((await harness.json("GetResult", { orderNo })).status).toBe(404);
    expect((await harness.form("/get_result", { order_no: orderNo })).status).toBe(404);
  });

  test("end by themselves where there is a ledger: the link and its page follow without a return", async () => {
    const { url, linkId } = await visitor.create({ userId: "closed1" });
    const before = await visitor.state(url);
    await capture((await visitor.press(url)).location);
    clock.advance(25_000);
    await eventually(async () => (await visitor.state(url)).state === "COMPLETED");
    expect((await visitor.state(url)).version).not.toBe(before.version);
    expect(await visitor.get(linkId)).toMatchObject({
      verdict: Verdict.PASSED,
      attempts: [{ returnCode: "" }],
    });
  });
});

test("the audit trail has who pressed, who came back and who read the verdict, of one order and one person", async () => {
  const { linkId } = await walk("passed", { userId: "audited1" });
  await visitor.get(linkId);
  const lines = readFileSync(audit, "utf8").trim().split("\n").slice(-3);
  const written = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(written).toMatchObject([
    { event: "attempt", door: "browser", caller: "visitor", outcome: "OK" },
    { event: "result", door: "browser", caller: "visitor", verdict: "PASSED", code: "0", billed: true },
    { event: "result", door: "grpc", caller: "internal", verdict: "PASSED" },
  ]);
  for (const field of ["order_no", "person"]) {
    expect(new Set(written.map((line) => line[field])).size).toBe(1);
    expect(written[0]?.[field]).toBeDefined();
  }
});

describe("a callback", () => {
  test.each([
    ["forged_signature", "wrong"],
    ["missing_signature", "missing"],
  ] as const)("with a %s is counted, and what counts is the vendor's answer", async (kind, signature) => {
    const name = `faceid_link_callbacks_forged_total{signature="${signature}"`;
    const before = await metric(name);
    sandbox.faults.add({ endpoint: "web_return", kind });
    const { linkId } = await walk(kind === "forged_signature" ? "not_same_person" : "passed", {
      userId: kind.slice(0, 9).replace("_", "x"),
    });
    expect(await metric(name)).toBe(before + 1);
    expect(harness.logs.some(({ event }) => event === "callback_forged")).toBe(true);
    const verdict = kind === "forged_signature" ? Verdict.FAILED : Verdict.PASSED;
    expect(await visitor.get(linkId)).toMatchObject({ state: State.COMPLETED, verdict });
  });

  test("of success without a signature, before any capture, changes nothing", async () => {
    const { url, linkId } = await visitor.create({ userId: "claimed1" });
    const { location } = await visitor.press(url);
    const before = await visitor.get(linkId);
    expect(before.state).toBe(State.STARTED);
    const orderNo = before.attempts[0]?.orderNo ?? "";
    const { location: next } = await visitor.visit(`${url}/return?orderNo=${orderNo}&code=0`);
    expect(new URL(next ?? "", url).href).toBe(url);
    expect(await visitor.get(linkId)).toEqual(before);
    await visitor.visit(await capture(location));
    expect(await visitor.get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
  });

  test("signed with the ticket before the last rotation is accepted for the rest of its hour", async () => {
    const { url, linkId } = await visitor.create({ userId: "rotated1" });
    const { location } = await visitor.press(url);
    const callback = await capture(location);
    const rotated = harness.logs.filter(({ event }) => event === "pair_adopted").length;
    clock.advance(20 * MINUTE);
    await eventually(() => harness.logs.filter(({ event }) => event === "pair_adopted").length > rotated);
    await visitor.visit(callback);
    expect((await visitor.get(linkId)).attempts).toMatchObject([{ returnSigned: true }]);
  });

  test("signed with a ticket of more than an hour ago is not", async () => {
    const { url, linkId } = await visitor.create({
      userId: "rotated2",
      life: durationFromMs(24 * 60 * MINUTE),
    });
    const callback = await capture((await visitor.press(url)).location);
    for (let i = 0; i < 4; i++) {
      const rotated = harness.logs.filter(({ event }) => event === "pair_adopted").length;
      clock.advance(20 * MINUTE);
      await eventually(() => harness.logs.filter(({ event }) => event === "pair_adopted").length > rotated);
    }
    await visitor.visit(callback);
    const link = await visitor.get(linkId);
    expect(link).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
    expect(link.attempts).toMatchObject([{ returnSigned: false }]);
  });

  test("that is fetched in advance or by HEAD is not a return", async () => {
    const { url } = await visitor.create({ userId: "advance1" });
    const callback = await capture((await visitor.press(url)).location);
    const orderNo = new URL(callback).searchParams.get("orderNo");
    await visitor.visit(callback, { method: "HEAD" });
    await visitor.visit(callback, { headers: { "sec-purpose": "prefetch" } });
    expect(queriesOf(orderNo)).toBe(0);
    expect((await visitor.state(url)).state).toBe("STARTED");
  });

  test("with parameters that are repeated, huge or strange is a hint at most", async () => {
    const { url, linkId } = await visitor.create({ userId: "strange1" });
    const callback = new URL(await capture((await visitor.press(url)).location, "3003"));
    const orderNo = callback.searchParams.get("orderNo") ?? "";
    const back = (query: string) => visitor.visit(`${url}/return?${query}`);
    expect((await back(`orderNo=${orderNo}&orderNo=${orderNo}&code=0`)).status).toBe(404);
    expect((await back("code=0")).status).toBe(404);
    expect((await back(`orderNo=${orderNo}&code=${"9".repeat(5_000)}`)).status).toBe(303);
    expect((await visitor.get(linkId)).attempts).toMatchObject([
      { returnCode: "", verdict: Verdict.NOT_COMPLETED },
    ]);
  });
});

describe("the RPCs", () => {
  test("are on the internal listener alone", async () => {
    const path = "/faceverification.v1.VerificationLinkService/CreateVerificationLink";
    const response = await fetch(harness.http + path, {
      method: "POST",
      body: JSON.stringify(PERSON),
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(404);
  });

  test.each([
    [{ returnUrl: "https://evil.example/" }, "return_url.allowed"],
    [{ returnUrl: "https://shop.example/verified2" }, "return_url.allowed"],
    [{ returnUrl: "https://shop.example/verified/../admin" }, "return_url.allowed"],
    [{ returnUrl: "http://shop.example/verified" }, "return_url.allowed"],
    [{ returnUrl: "https://user@shop.example/verified" }, "return_url.allowed"],
    [{ returnUrl: "javascript:alert(1)" }, "return_url.allowed"],
    [{ returnUrl: "/verified" }, "return_url.allowed"],
    [{ maxAttempts: 11 }, "max_attempts"],
    [{ life: durationFromMs(86_401_000) }, "life"],
    [{ life: durationFromMs(0) }, "life"],
    [{ idNo: "110105194912310021" }, "id_no"],
  ] as [request: object, named: string][])("refuse %o by the name of its field", async (request, named) => {
    const failed = await visitor.create(request).catch((error: grpc.ServiceError) => error);
    expect((failed as grpc.ServiceError).code).toBe(grpc.status.INVALID_ARGUMENT);
    const details = Buffer.concat(
      ((failed as grpc.ServiceError).metadata.get("grpc-status-details-bin") as Buffer[]) ?? [],
    );
    expect(details.toString()).toContain(named);
  });

  test("return one link for one request id, and refuse it for another request", async () => {
    const [first, second] = await Promise.all([
      visitor.create({ requestId: "r-1" }),
      visitor.create({ requestId: "r-1" }),
    ]);
    expect(second).toEqual(first);
    expect(await statusOf(visitor.create({ requestId: "r-1", reference: "other" }))).toBe(
      grpc.status.ALREADY_EXISTS,
    );
    expect((await visitor.create({ requestId: "r-2" })).linkId).not.toBe(first.linkId);
  });

  test("make ids of 128 random bits, and no log line has one", async () => {
    const links = await Promise.all(Array.from({ length: 50 }, () => visitor.create()));
    expect(new Set(links.map(({ linkId }) => linkId)).size).toBe(50);
    for (const { linkId, url } of links) {
      expect(linkId).toMatch(/^[0-9A-Za-z]{22}$/);
      expect(url).toBe(`${PUBLIC_URL}/v/${linkId}`);
      await visitor.open(url);
    }
    const lines = JSON.stringify(harness.logs);
    for (const { linkId } of links) expect(lines).not.toContain(linkId);
  });
});

test("without PUBLIC_URL there are no pages, and the RPCs say what to set", async () => {
  await using plain = await startHarness();
  const { create } = createVisitor(() => plain.http, plain.grpcClient);
  expect(await statusOf(create())).toBe(grpc.status.UNIMPLEMENTED);
  expect((await fetch(`${plain.http}/v/${"a".repeat(22)}`)).status).toBe(404);
  expect((await fetch(`${plain.http}/v/page.css`)).status).toBe(404);
});

// The last one: it takes the shared service past the life of its tickets.
test("a link that has expired starts nothing, is known for a day, and then not any more", async () => {
  const { url, linkId } = await visitor.create({ life: durationFromMs(10 * MINUTE) });
  clock.advance(10 * MINUTE);
  expect((await visitor.press(url)).location).toBe(url);
  expect((await visitor.open(url, { ...PHONE, "accept-language": "en" })).text).toContain(
    "This link has ended",
  );
  clock.advance(23 * 60 * MINUTE);
  expect((await visitor.get(linkId)).state).toBe(State.EXPIRED);
  clock.advance(2 * 60 * MINUTE);
  expect(await statusOf(visitor.get(linkId))).toBe(grpc.status.NOT_FOUND);
  expect((await visitor.open(url)).status).toBe(404);
});
