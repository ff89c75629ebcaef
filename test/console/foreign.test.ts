import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, missingChromium } from "./browser.ts";
import { onPage, soon, textOf, usable } from "./page.ts";
import { type RunningTrial, startTrial } from "./trial.ts";

/** A backend of someone else's: numbers for codes, camel case, no verdict, now and then no JSON. */
function answer(path: string, form: URLSearchParams): [status: number, type: string, body: unknown] {
  const json = "application/json";
  if (form.get("name") === "网页") return [200, "text/html", "<h1>maintenance</h1>"];
  if (form.get("name") === "文字") return [200, json, { code: 0, result: "ok" }];
  if (form.get("name") === "名单")
    return [400, json, { code: 4001, msg: "name is on a list", fields: "name" }];
  if (path === "/get_face_params") {
    const launch = { faceId: "tx1", agreementNo: "order1", openApiAppId: "TIDA0001", openApiNonce: "n" };
    return [200, json, { code: 0, ...launch }];
  }
  return [200, json, { code: form.get("order_no") === "order1" ? 66660004 : 0 }];
}

describe.skipIf(missingChromium())("the console with a backend that is not ours", () => {
  let browser: Browser;
  let backend: Server;
  let trial: RunningTrial;

  beforeAll(async () => {
    backend = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const [status, type, body] = answer(request.url ?? "", form);
      response.writeHead(status, { "content-type": type });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    [browser, trial] = await Promise.all([launchBrowser(), startTrial("--upstream-only", "--backend", url)]);
  });
  afterAll(async () => {
    await browser?.close();
    await trial?.end();
    backend?.close();
  });

  const inConsole = (work: (page: Page) => Promise<void>) => onPage(browser, trial.url, {}, work);

  test("its launch is read whatever its names, and its answer is shown as what it says", () =>
    inConsole(async (page) => {
      await page.locator("#launch").click();
      await page.locator(usable("play")).waitFor();
      expect(await textOf(page, "#countdown")).toContain("names no deadline");
      await page.locator("#parameters summary").click();
      expect(await textOf(page, "#parameter-list")).toMatch(
        /faceIdtx1.*agreementNoorder1.*openApiSign\(empty\)/s,
      );
      await page.locator("#play").click();
      await page.locator("#verdict .notice").waitFor();
      expect(await textOf(page, "#verdict .word")).toContain("The backend answers code 66660004");
      expect(await textOf(page, "#sdk-answer")).toContain("isSuccess: false");
      // Several ticks and pictures later there is still no error.
      await page.waitForResponse(/sandbox\/picture/);
      await page.waitForResponse(/sandbox\/picture/);
      const shown = await textOf(page, "body");
      expect(shown).not.toMatch(/undefined|NaN|verdict_|reason_|next_|\[object/);
      expect(await textOf(page, "[data-metric=next_refresh]")).toContain("no token yet");
    }));

  test.each([
    ["网页", /No launch parameters.*no message/s],
    ["文字", /No launch parameters.*no message/s],
    ["名单", /No launch parameters.*name is on a list.*HTTP 400.*code 4001/s],
  ])("an answer to %s that is no launch is shown as it is", (name, words) =>
    inConsole(async (page) => {
      await page.locator("#name").fill(name);
      await page.locator("#launch").click();
      await soon(() => textOf(page, "#launch-error")).toMatch(words);
      await page.waitForResponse(/sandbox\/picture/);
      expect(await page.locator("#play").getAttribute("aria-disabled")).toBe("true");
      await soon(() => textOf(page, "#inspected-name")).toBe("get_face_params");
    }),
  );
});
