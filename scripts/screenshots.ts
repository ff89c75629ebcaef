import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { scriptOptions } from "../src/lib/cli.ts";
import { launchBrowser } from "../test/console/browser.ts";
import { startTrial } from "../test/console/trial.ts";
import { consoleHash } from "./console-hash.ts";

const IMAGES = join(import.meta.dirname, "../docs/images");

/** What is photographed. The names are those of the files. */
const SHOTS = [
  { name: "console-en", locale: "en-GB", width: 1440, height: 900, dark: false, outcome: "passed" },
  { name: "console-zh", locale: "zh-CN", width: 1440, height: 900, dark: false, outcome: "passed" },
  { name: "console-dark", locale: "en-GB", width: 1440, height: 900, dark: true, outcome: "occluded" },
  {
    name: "console-phone",
    locale: "zh-CN",
    width: 390,
    height: 844,
    dark: false,
    outcome: "not_same_person",
  },
] as const;

/** Makes the images of the documents, into `directory`. */
export async function takeScreenshots(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const browser = await launchBrowser();
  try {
    for (const shot of SHOTS) {
      // One each, so that no picture shows what an earlier one left.
      const trial = await startTrial("--seed", "7");
      const page = await open(browser, trial.url, shot);
      await run(page, shot.outcome);
      await page.screenshot({ path: join(directory, `${shot.name}.png`) });
      await page.close();
      await trial.end();
    }
  } finally {
    await browser.close();
  }
}

async function open(browser: Browser, url: string, shot: (typeof SHOTS)[number]): Promise<Page> {
  const page = await browser.newPage({
    locale: shot.locale,
    viewport: { width: shot.width, height: shot.height },
    colorScheme: shot.dark ? "dark" : "light",
    timezoneId: "Asia/Shanghai",
  });
  await page.goto(url);
  await page.locator("html[data-ready]").waitFor();
  return page;
}

/** A revoked token, a foreign rotation and an attempt, so that the picture has something to show and to inspect. */
async function run(page: Page, outcome: string): Promise<void> {
  const turn = (ms: number) => page.locator(`[data-advance='${ms}']`).click();
  await turn(60_000);
  await page.locator("#revoke").click();
  await turn(10_000);
  await page.locator("#launch").click();
  await page.locator("#play[aria-disabled=false]").waitFor();
  await page.locator("#outcome").selectOption(outcome);
  await turn(10_000);
  await page.locator("#rotate").click();
  await turn(10_000);
  await page.locator("#play").click();
  await page.locator("#verdict .notice").waitFor();
  await page.locator("#waterfall [data-endpoint=get_result]").waitFor();
  if ((page.viewportSize()?.width ?? 0) < 500) return page.locator("#verdict").scrollIntoViewIfNeeded();
  await page.locator("#waterfall [data-endpoint=upload]").first().click();
  await page.locator("#tab-signed").click();
  await page.locator("#inspected-signed ol").waitFor();
  await page.evaluate("scrollTo(0, 0)");
}

if (import.meta.main) {
  scriptOptions({ options: {} }, "npm run screenshots\n\nWrites the pictures of docs/images.", []);
  await takeScreenshots(IMAGES);
  writeFileSync(join(IMAGES, "console.sha256"), `${consoleHash()}\n`);
}
