import { expect, test } from "vitest";
import { startHarness } from "../support/harness.ts";

test("the service itself has neither console nor controls on any listener", async () => {
  await using harness = await startHarness();
  const paths = ["/", "/console/main.js", "/sandbox/picture", "/sandbox/backend", "/sdk/verify"];
  for (const base of [harness.http, harness.admin]) {
    for (const path of paths) {
      for (const method of ["GET", "POST"]) {
        const response = await fetch(base + path, { method });
        expect(response.status, `${method} ${base}${path}`).toBe(404);
      }
    }
  }
  expect(harness.sandbox.stats.calls.sdk_verify).toBe(0);
});
