import { afterEach, expect, test } from "vitest";
import { endChildren } from "../support/child.ts";
import { fuzz } from "./fuzz.ts";

afterEach(endChildren);

// The long run is `npm run fuzz`; docs/fuzzing.md has its figures.
test("a few thousand broken requests of each kind: no crash, and nothing is called the service's fault", async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`fuzz seed ${seed}`);
  const { sent, answers, findings } = await fuzz({ inputs: 4_000, maxMs: 60_000, seed });
  expect(findings).toEqual([]);
  expect(sent).toBeGreaterThan(500);
  // They do get through to the parsers, and most of them are refused there.
  const refused = answers["form"]?.get("400") ?? 0;
  expect(refused).toBeGreaterThan(0);
}, 240_000);
