import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, missingChromium } from "./browser.ts";
import {
  DESKTOP,
  focused,
  launch,
  onPage as openPage,
  PHONE,
  soon,
  textOf as text,
  untilVerdict,
  usable,
  violations,
} from "./page.ts";
import { type RunningTrial, startTrial } from "./trial.ts";

describe.skipIf(missingChromium())("the console in a real browser", () => {
  let browser: Browser;
  let trial: RunningTrial;

  beforeAll(async () => {
    [browser, trial] = await Promise.all([launchBrowser(), startTrial()]);
  });
  afterAll(async () => {
    await browser?.close();
    await trial?.end();
  });

  const onPage = (options: BrowserContextOptions, work: (page: Page) => Promise<void>) =>
    openPage(browser, trial.url, options, work);
  const generation = async (page: Page) =>
    Number((await text(page, "[data-metric=generation] dd")).match(/#(\d+)/)?.[1]);
  const age = async (page: Page) =>
    seconds(/([\d:]+) old/.exec(await text(page, "[data-metric=generation] small"))?.[1] ?? "");

  test.each([
    ["zh-CN", "desktop", DESKTOP, "zh-CN", "核身通过"],
    ["en-GB", "desktop", DESKTOP, "en", "Passed"],
    ["de-DE", "desktop", DESKTOP, "en", "Passed"],
    ["zh-TW", "phone", PHONE, "zh-CN", "核身通过"],
    ["en-GB", "phone", PHONE, "en", "Passed"],
  ])("a person walks to a passed verdict in %s on a %s", (locale, _size, size, lang, passed) =>
    onPage({ locale, ...size }, async (page) => {
      expect(await page.locator("html").getAttribute("lang")).toBe(lang);
      await launch(page);
      await page.locator("#parameters summary").click();
      expect(await text(page, "#parameter-list")).toMatch(/face_id.*faceId.*agreementNo.*openApiSign/s);
      expect(await text(page, "#countdown")).toMatch(/[12]:\d\d/);
      await page.locator("#play").click();
      await untilVerdict(page, "PASSED");
      expect(await text(page, "#verdict .word")).toContain(passed);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(size.viewport.width);
    }),
  );

  test.each([
    ["not_same_person", "FAILED", /not that of the person/],
    ["occluded", "INCONCLUSIVE", /better light/],
    ["abandoned", "NOT_COMPLETED", /start over/],
    ["busy", "ERROR", /says nothing about the person/],
    ["unknown_code", "ERROR", /answer unknown so far/],
  ])("the outcome %s is shown as %s with the next step", (outcome, kind, words) =>
    onPage({}, async (page) => {
      await launch(page);
      await page.locator("#outcome").selectOption(outcome);
      await page.locator("#play").click();
      await untilVerdict(page, kind);
      expect(await text(page, "#verdict")).toMatch(words);
    }),
  );

  test("a case from the catalogue selects the outcome by its ID number", () =>
    onPage({}, async (page) => {
      await page.locator("#magic").selectOption({ label: "Name and ID number do not match (code 66660010)" });
      expect(await page.locator("#id_no").inputValue()).toBe("119999199001010047");
      await launch(page);
      await page.locator("#play").click();
      await untilVerdict(page, "FAILED");
      expect(await text(page, "#verdict")).toContain("check name and ID number");
    }));

  test("a wrong check digit is reported at its field and does not reach the vendor", () =>
    onPage({}, async (page) => {
      await page.locator("#id_no").fill("110105194912310021");
      await page.locator("#launch").click();
      await page.locator("#id_no-fault:visible").waitFor();
      expect(await text(page, "#id_no-fault")).toContain("check digit");
      expect(await page.locator("#id_no").getAttribute("aria-invalid")).toBe("true");
      expect(await page.locator("#play").getAttribute("aria-disabled")).toBe("true");
      await soon(() => focused(page)).toBe("id_no");
    }));

  test("the whole walk can be done by keyboard", () =>
    onPage({}, async (page) => {
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.locator("#name").focus();
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.id")).toBe("id_no");
      await page.keyboard.press("Enter");
      await page.locator("#play:focus").waitFor();
      await page.keyboard.press("Enter");
      await untilVerdict(page, "PASSED");
      expect(await focused(page)).toBe("play");
      const outline = "getComputedStyle(document.querySelector(':focus-visible')).outlineStyle";
      await page.keyboard.press("Tab");
      expect(await page.evaluate(outline)).toBe("solid");
    }));

  test("a switched language is remembered", () =>
    onPage({ locale: "zh-CN" }, async (page) => {
      await page.locator("[data-language=en]").click();
      expect(await text(page, "h1")).toBe("Face verification sandbox");
      await page.reload();
      await page.locator("html[data-ready]").waitFor();
      expect(await text(page, "h1")).toBe("Face verification sandbox");
      expect(await page.locator("[data-language=en]").getAttribute("aria-pressed")).toBe("true");
    }));

  test("turning the clock ages the token, and after 20 minutes shows its successor beside it", () =>
    onPage({}, async (page) => {
      await launch(page);
      const [before, generationBefore] = [await age(page), await generation(page)];
      await page.locator("[data-advance='60000']").click();
      await soon(() => age(page)).toBeGreaterThanOrEqual(before + 60);
      expect(await text(page, "#said")).toContain("1:00");
      await page.locator("[data-advance='1200000']").click();
      await soon(() => generation(page)).toBe(generationBefore + 1);
      await soon(() => text(page, "[data-metric=old_token] dd")).toMatch(/(1:00|0:\d\d) left/);
      await page.locator("#timeline .overlap:not(.past)").first().waitFor();
    }));

  test("a launch after a revoked token creates a new generation and passes", () =>
    onPage({}, async (page) => {
      await launch(page);
      const before = await generation(page);
      // Beyond the min time between two rotations caused by a doubt.
      await page.locator("[data-advance='60000']").click();
      await page.locator("#revoke").click();
      await soon(() => text(page, "[data-metric=generation] dd")).toContain("dead");
      await launch(page);
      await soon(() => generation(page)).toBe(before + 1);
      await page.locator("#play").click();
      await untilVerdict(page, "PASSED");
      expect(await text(page, "#breach-list")).toContain("token_dead");
      await page.locator("#clear-breaches").click();
      await soon(() => text(page, "#breach-list")).toContain("None");
      expect(await focused(page)).toBe("clear-breaches");
    }));

  test("no button comes back while a call is under way, and the one pressed keeps the focus", () =>
    onPage({}, async (page) => {
      await launch(page);
      await page.locator("#latency").selectOption("1500");
      await soon(() => text(page, "#said")).toContain("1.5 s");
      await page.locator("#launch").focus();
      const answered = page.waitForResponse(/get_face_params/);
      await page.keyboard.press("Enter");
      // The next picture, and the countdown's next tick, used to enable them.
      await page.waitForResponse(/sandbox\/picture/);
      await page.waitForResponse(/sandbox\/picture/);
      expect(await page.locator("#launch").getAttribute("aria-busy")).toBe("true");
      for (const id of ["launch", "play", "kill", "read"]) {
        expect(await page.locator(`#${id}`).getAttribute("aria-disabled"), id).toBe("true");
      }
      expect(await focused(page)).toBe("launch");
      await page.keyboard.press("Enter");
      await answered;
      await page.locator(usable("play")).waitFor();
      expect(await page.locator("#history li").count()).toBe(await attempts(page));
      await page.locator("#latency").selectOption("0");
      await soon(() => text(page, "#said")).toContain("0 ms");
    }));

  test("“my own” empties the number and leads there", () =>
    onPage({}, async (page) => {
      await page.locator("#magic").selectOption({ index: 3 });
      await page.locator("#magic").selectOption("");
      expect(await page.locator("#id_no").inputValue()).toBe("");
      expect(await focused(page)).toBe("id_no");
      await page.locator("#id_no").fill("119999199001010020");
      expect(await page.locator("#magic").inputValue()).toBe("119999199001010020");
    }));

  test("a fault that is removed while it has the focus leaves it in its card", () =>
    onPage({}, async (page) => {
      await page.locator("#fault-add").click();
      await page.locator("[data-fault] button").focus();
      await page.keyboard.press("Enter");
      await soon(() => page.locator("[data-fault]").count()).toBe(0);
      expect(await focused(page)).toBe("controls-title");
    }));

  test("the service's own status is shown beside the sandbox's", () =>
    onPage({}, async (page) => {
      await launch(page);
      await page.locator("#status summary").click();
      await soon(() => text(page, "#status-list")).toMatch(/replica.*usable.*true.*storeUp.*true/s);
      expect(await text(page, "[data-metric=next_refresh] dd")).toMatch(/^\d+:\d\d dies in 1:/);
    }));

  test("a foreign rotation starts the old token's last minute", () =>
    onPage({}, async (page) => {
      await launch(page);
      const before = await generation(page);
      await page.locator("#rotate").click();
      await soon(() => generation(page)).toBe(before + 1);
      expect(await text(page, "[data-metric=old_token] dd")).toMatch(/(1:00|0:\d\d) left/);
      expect(await text(page, "#said")).toContain("one more minute");
      expect(await text(page, "[data-metric=generation] dd")).toContain("taken elsewhere");
      await page.locator("#timeline .life.foreign").waitFor();
    }));

  test("an emptied store costs neither a token nor a launch", () =>
    onPage({}, async (page) => {
      await launch(page);
      const before = await generation(page);
      await page.locator("#drop").click();
      await page.locator("[data-advance='10000']").click();
      await launch(page);
      expect(await generation(page)).toBe(before);
    }));

  test("a slow upstream shows as a wide bar on the timeline", () =>
    onPage({}, async (page) => {
      await page.locator("#latency").selectOption("1500");
      await soon(() => text(page, "#said")).toContain("1.5 s");
      await launch(page);
      await soon(() => widest(page, "upload")).toBeGreaterThanOrEqual(1500);
      await page.locator("#latency").selectOption("0");
      await soon(() => text(page, "#said")).toContain("0 ms");
    }));

  test("a scripted fault is listed, applies, and disappears", () =>
    onPage({}, async (page) => {
      await page.locator("#fault-endpoint").selectOption("upload");
      await page.locator("#fault-kind").selectOption("status");
      await page.locator("#fault button[type=submit]").click();
      await page.locator("[data-fault]").waitFor();
      await page.locator("#launch").click();
      await page.locator("#launch-error .notice[data-verdict=ERROR]").waitFor();
      expect(await text(page, "#launch-error .word")).toContain("No launch parameters");
      await soon(() => page.locator("[data-fault]").count()).toBe(0);
      await page.locator("#timeline .call.refused[data-endpoint=upload]").first().waitFor();
    }));

  test.each([
    ["light", "en-GB", DESKTOP],
    ["dark", "en-GB", DESKTOP],
    ["light", "zh-CN", PHONE],
    ["dark", "zh-CN", PHONE],
  ] as const)("axe finds no accessibility problem in %s mode, %s", (colorScheme, locale, size) =>
    onPage({ colorScheme, locale, ...size }, async (page) => {
      await launch(page);
      await page.locator("#play").click();
      await untilVerdict(page, "PASSED");
      for (const summary of await page.locator("summary:visible").all()) await summary.click();
      await page.locator("#waterfall [data-endpoint=upload]").click();
      await page.locator("#tab-signed:visible").click();
      expect(await violations(page)).toEqual([]);
    }),
  );

  describe("orders", () => {
    /** The number of the launch under way: the second of its parameters. */
    const launched = async (page: Page) => {
      await launch(page);
      return (await page.locator("#parameter-list dd").nth(1).textContent()) ?? "";
    };

    test("an app that is killed after the capture leaves an order that ends by itself, and its event arrives", () =>
      onPage({}, async (page) => {
        const order = await launched(page);
        await page.locator("#kill").click();
        await soon(() => text(page, "#verdict")).toContain("asks no more");
        await page.locator(`#order-list tr[data-order="${order}"][data-state=CREATED]`).waitFor();
        await page.locator("[data-advance='10000']").click();
        await page.locator("[data-advance='10000']").click();
        const ended = page.locator(`#order-list tr[data-order="${order}"][data-state=COMPLETED]`);
        await ended.waitFor();
        await soon(() => ended.textContent()).toMatch(/Passed.*delivered · tried 1 times/);
        const webhook = page.locator(`#received-list li[data-webhook="evt_${order}"]`);
        await soon(() => webhook.textContent()).toMatch(
          /order\.completed · Passed · signature right · answered 204/,
        );
      }));

    test("a receiver that fails gets the event when it works again, and once more when it is sent again", () =>
      onPage({}, async (page) => {
        await page.locator("#receiver-fails").click();
        await page.locator("#receiver-fails[aria-pressed=true]").waitFor();
        const order = await launched(page);
        await page.locator("#play").click();
        await untilVerdict(page, "PASSED");
        const mine = page.locator(`#order-list tr[data-order="${order}"]`);
        await soon(() => mine.textContent()).toMatch(/waiting · tried \d times · answered 503/);
        await page.locator("#receiver-fails").click();
        await page.locator("#receiver-fails[aria-pressed=false]").waitFor();
        await page.locator("[data-advance='60000']").click();
        await soon(() => mine.textContent()).toContain("delivered");
        await mine.locator("button").click();
        await soon(() => text(page, "#orders-said")).toContain("the same id");
        const again = page.locator(`#received-list li[data-webhook="evt_${order}"]`).first();
        await soon(() => again.textContent()).toContain("repeated");
      }));
  });
});

/** The duration of an endpoint's longest call on the timeline, milliseconds. */
const widest = (page: Page, endpoint: string) =>
  page.evaluate(
    `Math.max(...[...document.querySelectorAll("#timeline [data-endpoint=${endpoint}]")].map((each) => each.dataset.ms))`,
  );

/** How many attempts were begun by the page's own calls. */
const attempts = (page: Page) =>
  page.evaluate(
    "fetch('/sandbox/attempts').then((each) => each.json()).then(({ attempts }) => attempts.length)",
  );

/** The output of `clockTime` in seconds. */
function seconds(shown: string): number {
  return shown.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}
