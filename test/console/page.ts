import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");

export const DESKTOP = { viewport: { width: 1440, height: 900 } };
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** Polls with a timeout long enough for a slow machine. */
export const soon = <T>(read: () => T) => expect.poll(read, { timeout: 30_000 });

/** Opens the console, runs `work` on it, and fails if the page reported an error. */
export async function onPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ locale: "en-GB", ...DESKTOP, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A refused form is answered with 4xx or 5xx, which Chromium also logs to its console.
    const expected = /\/(get_face_params|get_result|sdk\/verify)$/.test(message.location().url);
    if (["error", "warning"].includes(message.type()) && !expected) complaints.push(message.text());
  });
  try {
    await passNonceInterval(url);
    await page.goto(url);
    await page.locator("html[data-ready]").waitFor();
    await work(page);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
}

/** The vendor gives a person's next NONCE ticket after 2 s: turned, not waited for. */
async function passNonceInterval(url: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  await fetch(new URL("/sandbox/clock", url), { method: "POST", headers, body: '{"advance_ms":2000}' });
}

export const textOf = async (page: Page, selector: string) =>
  (await page.locator(selector).textContent()) ?? "";

export const untilVerdict = (page: Page, kind: string) =>
  page.locator(`#verdict .notice[data-verdict=${kind}]`).waitFor();

/** A button that may be pressed. */
export const usable = (id: string) => `#${id}[aria-disabled=false]:not([aria-busy])`;

export async function launch(page: Page): Promise<void> {
  await page.locator("#launch").click();
  await page.locator(usable("play")).waitFor();
}

/** The id of the element with the focus. */
export const focused = (page: Page) => page.evaluate("document.activeElement.id");

/** What axe finds on the page as it is now. */
export async function violations(page: Page): Promise<string[]> {
  // Through the debugger, since the page's policy rightly forbids injected scripts.
  await page.evaluate(AXE);
  const found = (await page.evaluate("axe.run()")) as {
    violations: { id: string; nodes: { html: string }[] }[];
  };
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
