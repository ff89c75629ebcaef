import { defineConfig } from "vitest/config";

/** The tests of the decisions one by one: fast, and none of them runs in virtual time for long. */
const FILES = [
  "tickets/survivors",
  "tickets/tables",
  "orders/next-look",
  "deliveries/next-try",
  "deliveries/round",
];

export default defineConfig({
  test: { include: FILES.map((name) => `test/${name}.test.ts`), testTimeout: 60_000 },
});
