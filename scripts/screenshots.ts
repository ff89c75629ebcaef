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
  { name: "console-en", locale: "en-GB", width: 1120, height: 900, dark: false, outcome: "passed" },
  { name: "console-zh", locale: "zh-CN", width: 1120, height: 900, dark: false, outcome: "passed" },
  { name: "console-dark", locale: "en-GB", width: 1120, height: 900, dark: true, outcome: "occluded" },
  {
    name: "console-phone",
    locale: "zh-CN",
    width: 390,
    height: 844,
    dark: false,
    outcome: "not_same_person",
  },
] as const;

/** How much of a wide page is shown, pixels: down to the verdict. */
const SHOWN = 1330;

/** Makes the images of the documents, into `directory`. */
export async function takeScreenshots(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const browser = await launchBrowser();
  try {
    for (const shot of SHOTS) {
      // One each, so that no picture shows what an earlier one left.
      const trial = await startTrial("--seed", "7");
      const page = await open(browser, trial.url, shot);
      await walk(page, shot.outcome);
      if (shot.width < 500) await page.locator("#verdict").scrollIntoViewIfNeeded();
      const clip =
        shot.width < 500 ? {} : { clip: { x: 0, y: 0, width: shot.width, height: SHOWN }, fullPage: true };
      await page.screenshot({ path: join(directory, `${shot.name}.png`), ...clip });
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

/** A foreign rotation and a walk, so that the picture has something to show. */
async function walk(page: Page, outcome: string): Promise<void> {
  await page.locator("[data-advance='60000']").click();
  await page.locator("#magic").selectOption({ index: 1 });
  await page.locator("#launch").click();
  await page.locator("#play:enabled").waitFor();
  await page.locator("#outcome").selectOption(outcome);
  await page.locator("[data-advance='10000']").click();
  await page.locator("#rotate").click();
  await page.locator("[data-advance='10000']").click();
  await page.locator("#play").click();
  await page.locator("#verdict .notice").waitFor();
}

if (import.meta.main) {
  scriptOptions({ options: {} }, "npm run screenshots\n\nWrites the pictures of docs/images.", []);
  await takeScreenshots(IMAGES);
  writeFileSync(join(IMAGES, "console.sha256"), `${consoleHash()}\n`);
}
