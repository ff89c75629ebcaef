import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import jsQR from "jsqr";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VerificationLinkState as State } from "../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { launchBrowser, missingChromium } from "../console/browser.ts";
import { type Harness, startHarness, unusedPort } from "../support/harness.ts";
import { createVisitor, type Visitor } from "./rig.ts";

const AXE = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");
const MINUTE = 60_000;

const AGENT = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36";
const PHONE = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, userAgent: AGENT };
const DESKTOP = { viewport: { width: 1240, height: 900 } };

describe.skipIf(missingChromium())("links in a real browser", () => {
  const clock = createTurnableClock(systemClock);
  let browser: Browser;
  let harness: Harness;
  let visitor: Visitor;
  /** Names an icon: otherwise the browser asks for /favicon.ico. */
  const callersPage = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><title>Shop</title><link rel="icon" href="data:,">');
  });
  let shop = "";
  let users = 0;

  beforeAll(async () => {
    const [port, vendorPort] = [await unusedPort(), await unusedPort()];
    callersPage.listen(0, "127.0.0.1");
    await once(callersPage, "listening");
    shop = `http://127.0.0.1:${(callersPage.address() as AddressInfo).port}/verified`;
    [browser, harness] = await Promise.all([
      launchBrowser(),
      startHarness({
        sandbox: { sharedClock: clock, port: vendorPort },
        overrides: { clock },
        env: {
          // Without the recorder between: the browser goes there too.
          FACEID_BASE_URL: `http://127.0.0.1:${vendorPort}`,
          HTTP_ADDR: `127.0.0.1:${port}`,
          PUBLIC_URL: `http://127.0.0.1:${port}`,
          LINK_RETURN_URLS: shop,
          FACEID_EDITION: "basic",
        },
      }),
    ]);
    visitor = createVisitor(() => harness.http, harness.grpcClient);
  });
  afterAll(async () => {
    await browser?.close();
    await harness?.stop();
    callersPage.close();
  });

  const create = (request = {}) => visitor.create({ userId: `browser${++users}`, ...request });
  const launches = () => harness.sandbox.stats.calls.nonce_ticket;

  /** Runs `work` in a browser of its own, and fails if one of its pages complained. */
  async function visit(
    options: BrowserContextOptions,
    work: (page: Page, context: BrowserContext) => Promise<void>,
  ) {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    const complaints: string[] = [];
    context.setDefaultTimeout(20_000);
    context.on("page", (page) => {
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type()))
          complaints.push(`${message.text()} ${message.location().url}`);
      });
    });
    try {
      await work(await context.newPage(), context);
      expect(complaints).toEqual([]);
    } finally {
      await context.close();
    }
  }

  /** Violations of WCAG 2.2 and of good practice. Evaluated by the browser's own tools: the page's policy stays in force. */
  async function violations(page: Page): Promise<string[]> {
    const found = await page.evaluate(
      `(() => { ${AXE}; return axe.run(document, { resultTypes: ["violations"] }); })()`,
    );
    const { violations: list } = found as { violations: { id: string; nodes: { html: string }[] }[] };
    return list.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }
  const width = (page: Page) => page.evaluate("document.documentElement.scrollWidth") as Promise<number>;
  const headline = (page: Page) => page.locator("h1").textContent();
  const choose = (page: Page, outcome: string) => page.locator(`button[value="${outcome}"]`).click();

  test.each([
    ["zh-CN", "phone", PHONE, "开始核验", "核验通过"],
    ["en-GB", "phone", PHONE, "Start verification", "You are verified"],
    ["zh-CN", "desktop", DESKTOP, "使用这台电脑的摄像头", "核验通过"],
    ["en-GB", "desktop", DESKTOP, "Use the camera of this computer", "You are verified"],
  ])(
    "a person walks from the link to the verdict, in %s on a %s",
    async (locale, _size, size, button, passed) => {
      const { url, linkId } = await create();
      await visit({ locale, ...size }, async (page) => {
        await page.goto(url);
        expect(await page.locator("html").getAttribute("lang")).toBe(locale === "en-GB" ? "en" : "zh-CN");
        expect(await violations(page)).toEqual([]);
        expect(await width(page)).toBe(size.viewport.width);
        await page.getByRole("button", { name: button }).click();
        await page.waitForURL(`${harness.sandbox.url}/sandbox/h5/**`);
        expect(await violations(page)).toEqual([]);
        await choose(page, "passed");
        await page.waitForURL(url);
        expect(await headline(page)).toBe(passed);
        expect(await violations(page)).toEqual([]);
      });
      expect(await visitor.get(linkId)).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
      expect(harness.sandbox.breaches).toEqual([]);
    },
  );

  test("the whole walk works without script and by keyboard, and ends at the caller's page", async () => {
    const { url, linkId } = await create({ returnUrl: shop });
    await visit({ ...PHONE, javaScriptEnabled: false }, async (page) => {
      await page.goto(url);
      // The language, and then the button.
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.waitForURL(`${harness.sandbox.url}/sandbox/h5/**`);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.waitForURL(`${shop}?link_id=${linkId}`);
    });
    expect(await visitor.get(linkId)).toMatchObject({ verdict: Verdict.PASSED });
  });

  test("a computer hands over to a phone by QR code, and its page follows the verdict within two seconds", async () => {
    const { url, linkId } = await create();
    await visit(DESKTOP, async (desktop) => {
      await desktop.goto(url);
      const code = await readQr(desktop);
      expect(code).toBe(url);
      await visit(PHONE, async (phone) => {
        await phone.goto(code);
        await phone.getByRole("button", { name: "Start verification" }).click();
        await phone.waitForURL(`${harness.sandbox.url}/sandbox/h5/**`);
        await desktop.getByRole("heading", { name: "Verification is under way" }).waitFor();
        expect(await violations(desktop)).toEqual([]);
        await choose(phone, "passed");
        await phone.waitForURL(url);
        // It looks once a second, so two looks are two seconds.
        let looks = 0;
        desktop.on("request", (request) => void (request.url().endsWith("/state") && looks++));
        await desktop.getByRole("heading", { name: "You are verified" }).waitFor();
        expect(looks).toBeLessThanOrEqual(2);
      });
    });
    expect((await visitor.get(linkId)).attempts).toHaveLength(1);
  });

  /** Reads the code from a picture of the page, as a camera does. */
  async function readQr(page: Page): Promise<string> {
    const picture = (await page.locator(".qr svg").screenshot()).toString("base64");
    const blank = await page.context().newPage();
    const pixels = (await blank.evaluate(`(async () => {
      const image = new Image();
      image.src = "data:image/png;base64,${picture}";
      await image.decode();
      const { width, height } = image;
      const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
      context.drawImage(image, 0, 0);
      return { width, height, data: [...context.getImageData(0, 0, width, height).data] };
    })()`)) as { width: number; height: number; data: number[] };
    await blank.close();
    const decode = jsQR as unknown as typeof jsQR.default;
    return decode(Uint8ClampedArray.from(pixels.data), pixels.width, pixels.height)?.data ?? "";
  }

  test.each([
    ["3004", "camera was not allowed"],
    ["3003", "interrupted"],
    ["blurred", "good light"],
  ])("after %s the page says what to do, and the next attempt passes", async (outcome, words) => {
    const { url, linkId } = await create();
    await visit(PHONE, async (page) => {
      await page.goto(url);
      await page.getByRole("button").click();
      await choose(page, outcome);
      await page.waitForURL(url);
      expect(await page.locator(".notice").textContent()).toContain(words);
      expect(await violations(page)).toEqual([]);
      clock.advance(3_000);
      await page.getByRole("button").click();
      await choose(page, "passed");
      await page.waitForURL(url);
    });
    const link = await visitor.get(linkId);
    expect(link).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
    expect(link.attempts).toHaveLength(2);
  });

  test("reloading and going back show how the link stands, and start nothing", async () => {
    const { url } = await create();
    await visit(PHONE, async (page) => {
      await page.goto(url);
      await page.getByRole("button").click();
      await choose(page, "not_same_person");
      await page.waitForURL(url);
      const before = launches();
      for (let i = 0; i < 3; i++) {
        await page.reload();
        expect(await headline(page)).toBe("You could not be verified");
      }
      await page.goBack();
      await page.goto(url);
      expect(await headline(page)).toBe("You could not be verified");
      expect(launches()).toBe(before);
    });
  });

  test("a page whose button was pressed waits for a slow vendor, though it sees the link change", async () => {
    const { url } = await create();
    harness.sandbox.latencyMs = 1_500;
    try {
      await visit(DESKTOP, async (page) => {
        await page.goto(url);
        await page.getByRole("button").first().click();
        await page.waitForURL(`${harness.sandbox.url}/sandbox/h5/**`);
      });
    } finally {
      harness.sandbox.latencyMs = 0;
    }
  });

  test("a double click is one launch", async () => {
    const { url, linkId } = await create();
    const before = launches();
    await visit(PHONE, async (page) => {
      await page.goto(url);
      await page.getByRole("button").dblclick();
      // Polled: the second click cancels the navigation of the first, which `waitForURL` would report.
      await expect
        .poll(() => page.url(), { timeout: 20_000 })
        .toContain(`${harness.sandbox.url}/sandbox/h5/`);
      await choose(page, "passed");
      await page.waitForURL(url);
    });
    expect(launches() - before).toBe(1);
    expect((await visitor.get(linkId)).attempts).toHaveLength(1);
  });

  test("a prefetching page costs no NONCE ticket, and the link works 29 minutes later", async () => {
    const { url, linkId } = await create();
    const before = launches();
    await visit(PHONE, async (page) => {
      await page.goto(url);
      await page.evaluate(`(async () => {
        for (let i = 0; i < 20; i++) await fetch("${url}", { method: i % 2 ? "HEAD" : "GET", cache: "reload" });
      })()`);
    });
    expect(launches()).toBe(before);
    clock.advance(29 * MINUTE);
    await expect.poll(() => harness.service.readiness().ready, { timeout: 30_000 }).toBe(true);
    await visit(PHONE, async (page) => {
      await page.goto(url);
      await page.getByRole("button").click();
      await choose(page, "passed");
      await page.waitForURL(url);
    });
    expect(await visitor.get(linkId)).toMatchObject({ verdict: Verdict.PASSED });
  });

  test("the language can be switched, and is kept through the vendor's page", async () => {
    const { url } = await create();
    await visit({ locale: "zh-CN", ...PHONE }, async (page) => {
      await page.goto(url);
      await page.getByRole("link", { name: "English" }).click();
      await page.getByRole("button", { name: "Start verification" }).click();
      await choose(page, "passed");
      await page.waitForURL(`${url}?lang=en`);
      expect(await headline(page)).toBe("You are verified");
    });
  });

  test("pages of an ended, a revoked and an unknown link have no violation in either language", async () => {
    const revoked = await create();
    await visitor.revoke(revoked.linkId);
    const unknown = `${harness.http}/v/${"a".repeat(22)}`;
    for (const locale of ["zh-CN", "en-GB"]) {
      const context = await browser.newContext({ locale, ...PHONE });
      const page = await context.newPage();
      for (const url of [revoked.url, unknown]) {
        await page.goto(url);
        expect(await violations(page)).toEqual([]);
        expect(await width(page)).toBe(320);
      }
      await context.close();
    }
  });
});
