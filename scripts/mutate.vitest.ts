import { defineConfig } from "vitest/config";

/** The tests of the decisions one by one: fast, and none of them runs in virtual time for long. */
const FILES = ["survivors", "tables"];

export default defineConfig({
  test: { include: FILES.map((name) => `test/tickets/${name}.test.ts`), testTimeout: 60_000 },
});
