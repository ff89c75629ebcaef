import { describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { RuleName } from "../../src/sandbox/vendor/rules.ts";
import { expectedSign } from "../../src/sandbox/vendor/verify.ts";
import { type Changes, createMerchant, PERSON, withSandbox } from "./merchant.ts";

const CALLBACK = "https://merchant.example/back/order";

/** A merchant's server that launches pages in the basic edition, and wrongly on request. */
function createShop(sandbox: Sandbox) {
  const merchant = createMerchant(sandbox);
  const { appId } = sandbox;
  let count = 0;

  async function upload(ticket: string, changes: Changes = {}) {
    const order = {
      orderNo: `web${++count}`,
      ...PERSON,
      userId: `user${count}`,
      version: "1.0.0",
      ...changes,
    };
    const { orderNo, name, idNo, userId, version } = order;
    const sign = expectedSign(
      [appId, orderNo, name, idNo, userId, version] as string[],
      ticket,
    ).toUpperCase();
    const answer = await merchant.post(`/api/server/h5/geth5faceid?orderNo=${orderNo}`, {
      appId,
      sign,
      ...order,
    });
    return { answer, orderNo, userId, faceId: String(answer.result?.["h5faceId"]) };
  }

  /** The launch URL of a page, after upload and NONCE ticket. */
  async function launch(kind: "web" | "pc" = "web", changes: Changes = {}): Promise<string> {
    const pair = await merchant.refresh();
    const { orderNo, userId, faceId } = await upload(pair.ticket);
    const issued = await merchant.fetchTicket(pair.token, { type: "NONCE", user_id: userId });
    const nonce = merchant.nonce();
    const parameters: Changes = {
      webankAppId: appId,
      version: "1.0.0",
      nonce,
      orderNo,
      h5faceId: faceId,
      url: CALLBACK,
      userId,
      sign: expectedSign([appId, userId, orderNo, "1.0.0", faceId, nonce], issued.tickets?.[0]?.value ?? ""),
      ...(kind === "web" && { resultType: "1", from: "browser", redirectType: "1" }),
      ...changes,
    };
    const entries = Object.entries(parameters).filter(([, value]) => value !== undefined);
    return `${sandbox.url}/api/${kind}/login?${new URLSearchParams(entries as [string, string][]).toString()}`;
  }

  /** Opens a launch URL; resolves to the page, or undefined if the launch was refused. */
  async function open(url: string): Promise<string | undefined> {
    const { headers } = await fetch(url, { redirect: "manual" });
    const location = headers.get("location");
    return location === null ? undefined : new URL(location, sandbox.url).href;
  }

  /** Chooses an outcome on a page; resolves to what the browser is sent back with. */
  async function choose(page: string | undefined, outcome: string): Promise<Record<string, string>> {
    const body = new URLSearchParams({ outcome });
    const { headers } = await fetch(page ?? "", { method: "POST", body, redirect: "manual" });
    const location = new URL(headers.get("location") ?? "");
    expect(location.origin + location.pathname).toBe(CALLBACK);
    return Object.fromEntries(location.searchParams);
  }

  return { ...merchant, webUpload: upload, launchPage: launch, open, choose };
}

const withShop = (work: (shop: ReturnType<typeof createShop>, sandbox: Sandbox) => Promise<void>) =>
  withSandbox({}, (sandbox) => work(createShop(sandbox), sandbox));

describe("a page of the vendor's", () => {
  test.each([
    ["web", "newSignature"],
    ["pc", "newSign"],
  ] as const)("the %s page ends with the vendor's signature as %s, in capitals", (kind, name) =>
    withShop(async (shop, sandbox) => {
      const back = await shop.choose(await shop.open(await shop.launchPage(kind)), "passed");
      const ticket = sandbox
        .issuedValues()
        .find(
          (value) =>
            expectedSign([sandbox.appId, back["orderNo"] ?? "", "0"], value).toUpperCase() === back[name],
        );
      expect(ticket).toBeDefined();
      expect(back).toMatchObject({ code: "0", h5faceId: expect.stringMatching(/^tx/) as string });
      expect(Object.hasOwn(back, "liveRate")).toBe(kind === "web");
      expect(shop.rules()).toEqual([]);
    }),
  );

  test("its own codes leave no record and are not signed, and the same order cannot be launched by the same URL", () =>
    withShop(async (shop) => {
      const url = await shop.launchPage();
      const back = await shop.choose(await shop.open(url), "3004");
      expect(back).toMatchObject({ code: "3004" });
      expect(back).not.toHaveProperty("newSignature");
      const { ticket } = await shop.refresh();
      expect(await shop.query(ticket, back["orderNo"] ?? "")).toMatchObject({ code: "66660011" });
      expect(await shop.open(url)).toBeUndefined();
      expect(shop.rules()).toEqual(["nonce_ticket_used"]);
    }));

  test.each([
    ["forged_signature", "66660004", "0"],
    ["stale_signature", "0", "0"],
    ["missing_signature", "0", "0"],
  ] as const)(
    "with the fault %s the browser comes back with what must not be believed",
    (kind, record, shown) =>
      withShop(async (shop, sandbox) => {
        const page = await shop.open(await shop.launchPage());
        const { ticket } = await shop.refresh();
        sandbox.faults.add({ endpoint: "web_return", kind });
        const back = await shop.choose(page, record === "0" ? "passed" : "not_same_person");
        expect(back["code"]).toBe(shown);
        const right = expectedSign([sandbox.appId, back["orderNo"] ?? "", shown], ticket).toUpperCase();
        expect(back["newSignature"]).not.toBe(right);
        expect(back["newSignature"] === undefined).toBe(kind === "missing_signature");
        expect(await shop.query(ticket, back["orderNo"] ?? "")).toMatchObject({ code: record });
      }),
  );

  test("the fault kinds of the way back are for it alone", () =>
    withShop(async (_shop, sandbox) => {
      const add = async (endpoint: string, kind: string) => {
        const body = JSON.stringify({ endpoint, kind });
        const headers = { "content-type": "application/json" };
        return (await fetch(`${sandbox.url}/sandbox/faults`, { method: "POST", headers, body })).status;
      };
      expect(await add("web_return", "forged_signature")).toBe(200);
      expect(await add("web_return", "reset")).toBe(400);
      expect(await add("upload", "forged_signature")).toBe(400);
      expect(await add("web_login", "status")).toBe(200);
    }));
});

describe("a launch of a page", () => {
  test.each<[RuleName, "web" | "pc", Changes]>([
    ["unknown_parameter", "web", { redirect: "1" }],
    ["unknown_parameter", "pc", { resultType: "1" }],
    ["unknown_parameter", "pc", { from: "browser" }],
    ["unknown_parameter", "pc", { redirectType: "1" }],
    ["app_id_field_wrong", "web", { webankAppId: undefined, appId: "TIDA0001" }],
    ["app_id_both_names", "web", { appId: "TIDA0001" }],
    ["app_id_unknown", "web", { webankAppId: "TIDA9999" }],
    ["face_id_field_wrong", "web", { h5faceId: undefined, faceId: "x" }],
    ["version_wrong", "web", { version: "1" }],
    ["nonce_format", "web", { nonce: "short" }],
    ["callback_url_wrong", "web", { url: encodeURIComponent(CALLBACK) }],
    ["callback_url_wrong", "web", { url: `${CALLBACK}?a=1` }],
    ["callback_url_wrong", "web", { url: "/back" }],
    ["from_wrong", "web", { from: "phone" }],
    ["signature_wrong", "web", { sign: "0".repeat(40) }],
    ["sign_format", "web", { sign: "x" }],
    ["face_id_unknown", "web", { h5faceId: `tx${"0".repeat(30)}` }],
    ["user_id_differs", "web", { userId: "another" }],
  ])("records %s on the %s page", (rule, kind, changes) =>
    withShop(async (shop) => {
      await shop.open(await shop.launchPage(kind, changes));
      expect(shop.rules()).toContain(rule);
    }),
  );

  test.each<[RuleName, number]>([
    ["nonce_ticket_dead", 120_000],
    ["face_id_expired", 300_000],
  ])("is refused with %s after %d ms", (rule, ms) =>
    withShop(async (shop, sandbox) => {
      const url = await shop.launchPage();
      sandbox.advance(ms);
      expect(await shop.open(url)).toBeUndefined();
      expect(shop.rules()).toContain(rule);
    }),
  );

  test("spends its ticket whoever asks, so that a prefetch or a HEAD leaves nothing to the person", () =>
    withShop(async (shop) => {
      const url = await shop.launchPage();
      await fetch(url, { method: "HEAD", redirect: "manual" });
      expect(await shop.open(url)).toBeUndefined();
      expect(shop.rules()).toEqual(["nonce_ticket_used"]);
    }));

  test("is not for an identity that was uploaded for the app, nor the other way round", () =>
    withShop(async (shop, sandbox) => {
      const pair = await shop.refresh();
      const body = shop.uploadBody(pair.ticket, { userId: "appuser" }, "webankAppId");
      const uploaded = await shop.post(`/api/server/getfaceid?orderNo=${String(body["orderNo"])}`, body);
      const changes = { orderNo: body["orderNo"], h5faceId: uploaded.result?.["faceId"] };
      await shop.open(await shop.launchPage("web", changes));
      expect(shop.rules()).toContain("face_id_of_other_channel");
      sandbox.clearBreaches();
      const web = await shop.webUpload(pair.ticket, { userId: "webuser" });
      const issued = await shop.fetchTicket(pair.token, { type: "NONCE", user_id: "webuser" });
      const nonce = shop.nonce();
      const sign = expectedSign([sandbox.appId, "webuser", "1.0.0", nonce], issued.tickets?.[0]?.value ?? "");
      const { orderNo: order_no, faceId: face_id } = web;
      const launch = {
        order_no,
        face_id,
        app_id: sandbox.appId,
        version: "1.0.0",
        nonce,
        user_id: "webuser",
        sign,
      };
      await shop.play(launch);
      expect(shop.rules()).toEqual(["face_id_of_other_channel"]);
    }));
});

describe("the upload for pages", () => {
  test.each<[RuleName, Changes]>([
    ["unknown_parameter", { nonce: "n".repeat(32) }],
    ["app_id_both_names", { webankAppId: "TIDA0001" }],
    ["version_wrong", { version: "2" }],
    ["identity_invalid", { idNo: "110105194912310021" }],
    ["photo_type_without_photo", { sourcePhotoType: "1" }],
    ["signature_wrong", { sign: "0".repeat(40) }],
  ])("records %s", (rule, changes) =>
    withShop(async (shop) => {
      const { ticket } = await shop.refresh();
      await shop.webUpload(ticket, changes);
      expect(shop.rules()).toContain(rule);
    }),
  );

  test("takes the app id by either name, and answers with an h5faceId", () =>
    withShop(async (shop) => {
      const { ticket } = await shop.refresh();
      for (const changes of [{}, { appId: undefined, webankAppId: "TIDA0001" }]) {
        const { answer } = await shop.webUpload(ticket, changes);
        expect(answer).toMatchObject({
          code: "0",
          result: { h5faceId: expect.stringMatching(/^tx/) as string },
        });
      }
      expect(shop.rules()).toEqual([]);
    }));
});
