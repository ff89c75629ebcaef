import * as grpc from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { VerificationLinkState as State } from "../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { readConfig } from "../../src/config/config.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createService } from "../../src/service.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import { eventually } from "../support/harness.ts";
import { createVisitor, PUBLIC_URL, SAME_SITE } from "./rig.ts";
import { type StrictVendor, startStrictVendor, vendorSign } from "./vendor.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The service as shipped, in front of the strict vendor; turning `clock` ages both. */
async function serve(edition: "basic" | "enhanced" | "plus", env: Record<string, string> = {}) {
  const vendor = await startStrictVendor(edition);
  const clock = createTurnableClock(systemClock);
  const config = readConfig(
    {
      FACEID_APP_ID: vendor.appId,
      FACEID_SECRET: vendor.secret,
      FACEID_BASE_URL: vendor.url,
      FACEID_EDITION: edition,
      STORE_URL: "memory:",
      HTTP_ADDR: "127.0.0.1:0",
      GRPC_ADDR: "127.0.0.1:0",
      ADMIN_ADDR: "127.0.0.1:0",
      PUBLIC_URL,
      LINK_RETURN_URLS: "https://shop.example/verified",
      ...env,
    },
    () => "",
  );
  const service = createService(config, { clock, logSink: { write: () => undefined } });
  await service.start();
  await eventually(() => service.readiness().ready);
  const { http = "", grpc: address = "" } = service.addresses();
  const client = new GrpcClient(address, grpc.credentials.createInsecure());
  ends.push(async () => {
    client.close();
    await service.stop();
    await vendor.stop();
  });
  const turn = (ms: number) => {
    vendor.aheadMs += ms;
    clock.advance(ms);
  };
  return { vendor, turn, ...createVisitor(() => `http://${http}`, client) };
}

const launched = ({ status, location = "" }: { status: number; location: string | undefined }) => {
  expect(status).toBe(303);
  return location;
};
/** The vendor's page, at the stand-in's own address. */
const pageOf = (vendor: StrictVendor, location: string) => {
  const url = new URL(location);
  expect(url.origin).toBe(vendor.url);
  return url;
};

describe.each(["basic", "enhanced", "plus"] as const)("in the %s edition", (edition) => {
  test("a link leads to the vendor's page and back to a verdict, and nothing sent breaks a rule", async () => {
    const { vendor, create, press, visit, get, turn } = await serve(edition);
    const { url, linkId } = await create({ returnUrl: "https://shop.example/verified/done?cart=7#end" });
    const launch = launched(await press(url));
    expect(pageOf(vendor, launch).pathname).toBe("/api/web/login");
    expect(await vendor.open(launch)).toMatch(/^\w{32}$/);
    turn(60_000);
    const back = await visit(vendor.capture(launch, "0"));
    expect(back.status).toBe(303);
    expect(back.location).toBe(`https://shop.example/verified/done?cart=7&link_id=${linkId}#end`);
    const link = await get(linkId);
    expect(link).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
    expect(link.attempts).toMatchObject([{ returnCode: "0", returnSigned: true, code: "0" }]);
    expect(vendor.breaches).toEqual([]);
    expect([vendor.uploads(), vendor.nonceTickets(), vendor.queries()]).toEqual([1, 1, 1]);
  });

  test("going back and pressing again launches the same order with another NONCE ticket", async () => {
    const { vendor, create, press, visit, get, turn } = await serve(edition);
    const { url, linkId } = await create();
    const first = launched(await press(url));
    await vendor.open(first);
    turn(4 * 60_000);
    const second = launched(await press(url));
    const order = (launch: string) => new URL(launch).searchParams.get("orderNo");
    expect(order(second)).toBe(order(first));
    expect(second).not.toBe(first);
    expect(await vendor.open(second)).toBe(order(first));
    await visit(vendor.capture(second, "0"));
    expect(await get(linkId)).toMatchObject({ state: State.COMPLETED, attempts: [{}] });
    expect([vendor.uploads(), vendor.nonceTickets()]).toEqual([1, 2]);
    expect(vendor.breaches).toEqual([]);
  });

  test("a press after four and a half minutes uploads the identity again, under another order", async () => {
    const { vendor, create, press, get, turn } = await serve(edition);
    const { url, linkId } = await create();
    await vendor.open(launched(await press(url)));
    turn(4.6 * 60_000);
    expect(await vendor.open(launched(await press(url)))).toBeDefined();
    expect((await get(linkId)).attempts).toHaveLength(2);
    expect(vendor.uploads()).toBe(2);
    expect(vendor.breaches).toEqual([]);
  });
});

test("a computer's camera is offered in the basic edition, whose page takes no parameter of phones", async () => {
  const { vendor, create, press, visit, get } = await serve("basic");
  const { url, linkId } = await create();
  const launch = launched(await press(url, SAME_SITE, "?device=pc"));
  expect(pageOf(vendor, launch).pathname).toBe("/api/pc/login");
  await vendor.open(launch);
  const callback = vendor.capture(launch, "0");
  expect(callback).toContain("newSign=");
  await visit(callback);
  expect((await get(linkId)).attempts).toMatchObject([{ returnSigned: true, code: "0" }]);
  expect(vendor.breaches).toEqual([]);
});

test("no computer's camera is used where the edition has no page for it", async () => {
  const { vendor, create, press } = await serve("enhanced");
  const launch = launched(await press((await create()).url, SAME_SITE, "?device=pc"));
  expect(pageOf(vendor, launch).pathname).toBe("/api/web/login");
  await vendor.open(launch);
  expect(vendor.breaches).toEqual([]);
});

const HOSTS: [recommended: string, origin: string | undefined][] = [
  ["miniprogram-kyc.tencentcloudapi.com", "https://miniprogram-kyc.tencentcloudapi.com"],
  ["KYC1.qcloud.com", "https://kyc1.qcloud.com"],
  ["ida.webank.com", "https://ida.webank.com"],
  ["", undefined],
  ["evil.example", undefined],
  ["qcloud.com.evil.example", undefined],
  ["evilqcloud.com", undefined],
  ["kyc1.qcloud.com:8443", undefined],
  ["kyc1.qcloud.com/../x", undefined],
  ["https://kyc1.qcloud.com", undefined],
  ["user@kyc1.qcloud.com", undefined],
  ["evil.example#.qcloud.com", undefined],
  ["evil.example\\.qcloud.com", undefined],
  [".qcloud.com", undefined],
];

test("the host that an upload recommends is taken only below the vendor's domains", async () => {
  const { vendor, create, press } = await serve("plus");
  for (const [i, [recommended, origin]] of HOSTS.entries()) {
    vendor.optimalDomain = recommended;
    const { url } = await create({ userId: `host${i}` });
    const launch = new URL(launched(await press(url)));
    expect(launch.origin, recommended).toBe(origin ?? vendor.url);
    expect(launch.pathname).toBe("/api/web/login");
  }
});

describe("the way back", () => {
  async function away(edition: "basic" | "enhanced" = "enhanced") {
    const served = await serve(edition);
    const { url, linkId } = await served.create();
    const launch = launched(await served.press(url));
    await served.vendor.open(launch);
    return { ...served, url, linkId, launch };
  }

  test.each([
    ["in lower case", { lowerCase: true }, true],
    ["made with a ticket that never was", { signature: vendorSign(["x"], "y") }, false],
    ["that is none", { signature: "!" }, false],
    ["that is empty", { signature: "" }, false],
    ["that is missing", { signature: null }, false],
  ])("with a signature %s, the verdict is the vendor's", async (_what, how, signed) => {
    const { vendor, visit, get, linkId, launch } = await away();
    await visit(vendor.capture(launch, "66660004", { shown: "0", ...how }));
    const link = await get(linkId);
    expect(link).toMatchObject({ state: State.COMPLETED, verdict: Verdict.FAILED });
    // A success that is not signed is not even noted.
    const returnCode = signed ? "0" : "";
    expect(link.attempts).toMatchObject([{ returnCode, returnSigned: signed, code: "66660004" }]);
  });

  test("a signature of another code or another order is wrong", async () => {
    const { vendor, visit, get, linkId, launch } = await away();
    const other = new URL(vendor.capture(launch, "3003"));
    other.searchParams.set("code", "0");
    const before = await get(linkId);
    await visit(other.href);
    expect(await get(linkId)).toEqual(before);
  });

  test("a forged success without a record leaves the link open, and the person's own return completes it", async () => {
    const { vendor, visit, get, state, url, linkId, launch } = await away();
    const forged = vendor.capture(launch, "0", { record: false, signature: "0".repeat(40) });
    for (let i = 0; i < 3; i++) expect((await visit(forged)).location).toBe(url);
    expect((await state(url)).state).toBe("STARTED");
    // Once in two seconds.
    expect(vendor.queries()).toBe(1);
    await visit(vendor.capture(launch, "0"));
    expect(await get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
  });

  test("an order number of another link is not found there", async () => {
    const { vendor, create, visit, launch } = await away();
    const { url } = await create({ userId: "other" });
    const callback = vendor.capture(launch, "0").replace(/^[^?]+/, `${url}/return`);
    expect((await visit(callback)).status).toBe(404);
    expect(vendor.queries()).toBe(0);
  });

  test("while the vendor cannot be asked the link stays returned, and a look later completes it", async () => {
    const { vendor, visit, get, state, url, linkId, launch } = await away();
    vendor.queryDown = true;
    const callback = vendor.capture(launch, "0");
    expect((await visit(callback)).location).toBe(url);
    expect((await get(linkId)).state).toBe(State.RETURNED);
    expect((await state(url)).state).toBe("RETURNED");
    vendor.queryDown = false;
    expect(await get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
  });

  test("a verdict that could not be read is read by the button, also past the link's end", async () => {
    const { vendor, visit, press, get, turn, url, linkId, launch } = await away();
    vendor.queryDown = true;
    await visit(vendor.capture(launch, "0"));
    turn(31 * 60_000);
    vendor.queryDown = false;
    expect((await press(url)).location).toBe(url);
    expect(vendor.uploads()).toBe(1);
    expect(await get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
  });

  test("reloading and going back ask nothing and start nothing", async () => {
    const { vendor, visit, url, launch } = await away();
    const callback = vendor.capture(launch, "0");
    for (let i = 0; i < 10; i++) expect((await visit(callback)).location).toBe(url);
    expect([vendor.queries(), vendor.uploads(), vendor.nonceTickets()]).toEqual([1, 1, 1]);
  });
});
