import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, missingChromium } from "./browser.ts";
import { onPage, PHONE, soon, textOf, violations } from "./page.ts";
import { type RunningTrial, startTrial } from "./trial.ts";

describe.skipIf(missingChromium())("a phone at the sandbox", () => {
  let browser: Browser;
  let trial: RunningTrial;

  beforeAll(async () => {
    [browser, trial] = await Promise.all([launchBrowser(), startTrial("--host")]);
  });
  afterAll(async () => {
    await browser?.close();
    await trial?.end();
  });

  test("the console shows a QR code and a code, and the phone's page pairs with it", () =>
    onPage(browser, trial.url, {}, async (page) => {
      await page.locator("#phone").click();
      await page.locator("#phone-qr img").waitFor();
      const shown = async () => (await textOf(page, "#phone-code")).trim();
      const code = await shown();
      expect(code).toMatch(/^\d{8}$/);
      const drawn = "document.querySelector('#phone-qr img').naturalWidth";
      await soon(() => page.evaluate(drawn)).toBeGreaterThan(0);
      expect(await violations(page)).toEqual([]);
      await onPhone(`${trial.url}/pair#12345678`, async (phone) => {
        await soon(() => textOf(phone, "#pair-fault")).toContain("wrong");
        expect(await violations(phone)).toEqual([]);
        await phone.locator("#code").fill(code);
        await phone.locator("#pair button").click();
        await soon(() => textOf(phone, "#base-url")).toMatch(
          /^http:\/\/[\d.]+:\d+\/paired\/[0-9A-Za-z]{32}$/,
        );
        expect(await phone.context().cookies()).toMatchObject([{ name: "sandbox-pairing", httpOnly: true }]);
        await phone.locator("#paired a").click();
        await phone.locator("html[data-ready] #run").waitFor();
      });
      // Used up: there is another.
      await soon(shown).not.toBe(code);
      expect(await shown()).toMatch(/^\d{8}$/);
      await page.keyboard.press("Escape");
      expect(await page.evaluate("document.activeElement.id")).toBe("phone");
    }));

  async function onPhone(url: string, work: Parameters<typeof onPage>[3]): Promise<void> {
    const context = await browser.newContext({ locale: "en-GB", ...PHONE });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator("html[data-ready]").waitFor();
    await work(page);
    await context.close();
  }
});
