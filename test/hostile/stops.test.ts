import http from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";

const STOPS = 20;
const CLIENTS = 8;

let sandbox: Sandbox;
let env: Record<string, string>;
beforeAll(async () => {
  ({ sandbox, env } = await startUpstream());
});
afterEach(endChildren);
afterAll(() => sandbox.stop());

/** One call on a connection of its own: `ok` for an order that nobody made, `refused` by a listener that is closed, or what was lost. */
function call(child: Child): Promise<string> {
  return new Promise((resolve) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const request = http.request(`${child.http}/get_result`, { method: "POST", headers, agent: false });
    request.once("response", (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode === 404 ? "ok" : `HTTP ${response.statusCode}`));
      response.once("error", (error) => resolve(error.message));
    });
    request.once("error", ({ code, message }: NodeJS.ErrnoException) =>
      resolve(code === "ECONNREFUSED" ? "refused" : `${code}: ${message}`),
    );
    request.end("order_no=order1");
  });
}

test("20 stops under load lose no accepted call", async () => {
  const lost: string[] = [];
  let done = 0;
  for (let stop = 0; stop < STOPS; stop++) {
    const child = await startChild({ env: { ...env, SHUTDOWN_DELAY: "1ms" } });
    const calls = Array.from({ length: CLIENTS }, async () => {
      for (;;) {
        const outcome = await call(child);
        if (outcome === "refused") return;
        if (outcome === "ok") done += 1;
        else lost.push(`stop ${stop}: ${outcome}`);
      }
    });
    const before = done;
    while (done < before + 50) await new Promise((resolve) => setTimeout(resolve, 5));
    child.signal("SIGTERM");
    expect(await child.exited).toBe(0);
    await Promise.all(calls);
  }
  expect(lost).toEqual([]);
  expect(done).toBeGreaterThan(STOPS * CLIENTS);
}, 120_000);
