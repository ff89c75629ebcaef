import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const EXECUTABLE = "/usr/bin/chromium";

/** Why there is no browser to test with, logged once; undefined if there is. With REQUIRE_ALL=1 skips fail. */
export function missingChromium(): string | undefined {
  if (existsSync(EXECUTABLE)) return undefined;
  const reason = "no chromium: apt-get install -y chromium fonts-noto-cjk";
  if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
  console.log(`skipped: ${reason}`);
  return reason;
}

/** A headless Chromium that connects only to the page. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Otherwise glyphs differ between machines with and without a display.
      "--font-render-hinting=none",
    ],
  });
}
