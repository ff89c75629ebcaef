import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launchBrowser, missingChromium } from "./browser.ts";
import { focused, launch, onPage, soon, textOf, untilVerdict, usable, violations } from "./page.ts";
import { type RunningTrial, startTrial } from "./trial.ts";

const run = promisify(execFile);

describe.skipIf(missingChromium())("the console's inspector", () => {
  let browser: Browser;
  let trial: RunningTrial;

  beforeAll(async () => {
    [browser, trial] = await Promise.all([launchBrowser(), startTrial()]);
  });
  afterAll(async () => {
    await browser?.close();
    await trial?.end();
  });
  beforeEach(() =>
    fetch(`${trial.url}/sandbox/reset`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    }),
  );
  const inConsole = (work: (page: Page) => Promise<void>, hash = "") =>
    onPage(browser, `${trial.url}/${hash}`, {}, work);

  async function passed(page: Page): Promise<void> {
    await launch(page);
    await page.locator("#play").click();
    await untilVerdict(page, "PASSED");
  }

  const rows = (page: Page) =>
    page
      .locator("#waterfall button")
      .evaluateAll((buttons) =>
        (buttons as unknown as { dataset: { endpoint: string } }[]).map(({ dataset }) => dataset.endpoint),
      );

  test("an attempt shows every step with the vendor calls behind it, and each as it was sent", () =>
    inConsole(async (page) => {
      await passed(page);
      // The second attempt of a person finds a token.
      await page.locator("#repeat").click();
      await soon(() => page.locator("#history li").count()).toBe(2);
      await untilVerdict(page, "PASSED");
      await soon(async () => (await rows(page)).join()).toBe(
        "get_face_params,upload,nonce_ticket,sdk_verify,get_result,query",
      );
      await page.locator("#waterfall [data-endpoint=get_face_params]").click();
      await soon(() => textOf(page, "#inspected-request")).toMatch(
        /POST \/get_face_params.*name = 张三\s+id_no = 119999199001010012/s,
      );
      expect(await textOf(page, "#inspected-answer")).toMatch(/HTTP 200.*"face_id": "tx/s);
      await page.locator("#inspected-behind button").first().click();
      await soon(() => textOf(page, "#inspected-name")).toBe("identity upload");
      expect(await textOf(page, "#inspected-request")).toMatch(/"name": "张三".*"sign": "[0-9A-F]{40}"/s);
      await page.locator("#tab-signed").click();
      const signed = await textOf(page, "#inspected-signed");
      expect(signed).toMatch(/signature is right.*5 values.*with the SIGN ticket of token #1/s);
      const parts = await page.locator(".parts li code").allTextContents();
      expect(parts).toEqual([...parts].sort());
      expect(parts).toContain("1.0.0");
      // The tabs are one stop of the keyboard, and arrows go between them.
      await page.keyboard.press("ArrowRight");
      expect(await focused(page)).toBe("tab-snippet");
      expect(await page.locator("#snippet").isVisible()).toBe(true);
      expect(await violations(page)).toEqual([]);
    }));

  test("an earlier attempt of the history can be looked at again", () =>
    inConsole(async (page) => {
      await page.locator("#outcome").selectOption("occluded");
      await launch(page);
      await page.locator("#play").click();
      await untilVerdict(page, "INCONCLUSIVE");
      const order = await textOf(page, "#attempt-order");
      await page.locator("#outcome").selectOption("");
      await passed(page);
      await soon(() => textOf(page, "#attempt-order")).not.toBe(order);
      const earlier = page.locator("#history [data-attempt]").nth(1);
      expect(await earlier.getAttribute("data-verdict")).toBe("INCONCLUSIVE");
      await earlier.click();
      await soon(() => textOf(page, "#attempt-order")).toBe(order);
      expect(await page.locator("#outcome").inputValue()).toBe("");
      // It stays there while the picture goes on.
      await page.waitForResponse(/sandbox\/attempts/);
      expect(await textOf(page, "#attempt-order")).toBe(order);
      // Repeated, it ends as it did.
      await page.locator("#repeat").click();
      await untilVerdict(page, "INCONCLUSIVE");
      expect(await page.locator("#outcome").inputValue()).toBe("occluded");
    }));

  test("the curl command of a step runs as it is, and its copy button copies it", () =>
    inConsole(async (page) => {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await passed(page);
      await page.locator("#waterfall [data-endpoint=get_result]").click();
      await soon(() => textOf(page, "#inspected-name")).toBe("get_result");
      await page.locator("#tab-snippet").click();
      await page.locator("#copy-snippet").click();
      await soon(() => textOf(page, "#copied")).toBe("Copied");
      const command = (await page.evaluate("navigator.clipboard.readText()")) as string;
      expect(command).toBe(await textOf(page, "#snippet"));
      const { stdout } = await run("bash", ["-c", command]);
      expect(JSON.parse(stdout)).toMatchObject({ code: "0", result: { verdict: "PASSED" } });
      const languages = await page.locator("#snippet-languages button").allTextContents();
      expect(languages).toEqual(["curl", "TypeScript", "Go", "Java", "Python", "Kotlin", "Swift"]);
    }));

  test("a breach leads to its call, and says which button caused it", () =>
    inConsole(async (page) => {
      await launch(page);
      await page.locator("[data-advance='60000']").click();
      await soon(() => textOf(page, "#said")).toContain("1:00");
      await page.locator("#revoke").click();
      await soon(() => textOf(page, "#said")).toContain("dead");
      await launch(page);
      const revoked = page.locator('#breach-list [data-rule=token_dead][data-cause="revoke"]').first();
      expect(await revoked.textContent()).toContain("Caused by the button “Revoke token”");
      await revoked.locator("button").click();
      await soon(() => textOf(page, "#inspected-why")).toMatch(/access token has died.*Revoke token/s);
      expect(await violations(page)).toEqual([]);
      await soon(() => textOf(page, "#inspected-facts")).toContain("code 400103");
      // It belongs to the attempt that noticed.
      expect(await page.locator("#waterfall [aria-current=true]").getAttribute("data-endpoint")).toBe(
        "nonce_ticket",
      );
      await page.locator("#play").click();
      await untilVerdict(page, "PASSED");
      await page.locator("#play").click();
      const again = page.locator("#breach-list [data-rule=face_id_used][data-cause=console]");
      await again.waitFor();
      expect(await again.textContent()).toContain("console made the call itself");
    }));

  test("a link brings case, outcome and faults, once", () =>
    inConsole(async (page) => {
      expect(await page.locator("#magic").inputValue()).toBe("119999199001010047");
      expect(await page.locator("#outcome").inputValue()).toBe("occluded");
      await soon(() => page.locator("[data-fault]").allTextContents()).toEqual([
        expect.stringMatching(/identity upload.*connection reset.*2 to go/),
      ]);
      await soon(() => page.locator("#latency").inputValue()).toBe("300");
      await page.reload();
      await page.locator("html[data-ready]").waitFor();
      expect(await page.locator("[data-fault]").count()).toBe(1);
      await page.locator("#magic").selectOption("119999199001010020");
      await page.locator("#outcome").selectOption("passed");
      await page.locator("#copy-link").click();
      await soon(() => textOf(page, "#link-shown")).toBe(
        `${trial.url}/#case=not_same_person&outcome=passed&latency=300&fault=upload:reset:2`,
      );
    }, "#case=name_id_mismatch&outcome=occluded&latency=300&fault=upload:reset:2"));

  test("a reset puts everything back, and the backend notices nothing", () =>
    inConsole(async (page) => {
      await passed(page);
      await page.locator("#revoke").click();
      await page.locator("#fault-add").click();
      await page.locator("#latency").selectOption("300");
      await page.locator("#receiver-fails").click();
      await page.locator("#receiver-fails[aria-pressed=true]").waitFor();
      await page.locator("#magic").selectOption({ index: 4 });
      await page.locator("#reset").click();
      await soon(() => textOf(page, "#said")).toContain("Reset");
      for (const list of [
        "#history li",
        "[data-fault]",
        "#breach-list [data-rule]",
        "#order-list [data-order]",
      ]) {
        await soon(() => page.locator(list).count()).toBe(0);
      }
      expect(await page.locator("#latency").inputValue()).toBe("0");
      expect(await page.locator("#receiver-fails").getAttribute("aria-pressed")).toBe("false");
      expect(await page.locator("#magic").inputValue()).toBe("119999199001010012");
      expect(await textOf(page, "#timeline")).not.toContain("×1");
      await page.locator(usable("launch")).waitFor();
      await passed(page);
      expect(await page.locator("#breach-list [data-rule]").count()).toBe(0);
    }));
});
