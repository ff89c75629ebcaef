import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { missingPromtool } from "../support/promtool.ts";
import { ruleProblems } from "./promtool-tests.ts";
import { knownMetrics, metricsIn } from "./vocabulary.ts";

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { expr: string; refId: string }[];
}

const file = join(import.meta.dirname, "../../deploy/grafana/dashboard.json");
const { panels } = JSON.parse(readFileSync(file, "utf8")) as { panels: Panel[] };
const drawn = panels.filter(({ type }) => type !== "row");
/** Variables as Grafana fills them in. */
const filled = (expr: string) => expr.replaceAll("$app", ".*");
const expressions = drawn.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, expr: filled(expr) })),
);

test("panels have unique ids and do not overlap", () => {
  expect(drawn.length).toBeGreaterThan(20);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

test("the dashboard's first row is generation, age and token calls", () => {
  expect(
    drawn.slice(0, 3).flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricsIn(expr))),
  ).toEqual([
    "faceid_ticket_generation",
    "faceid_ticket_sign_age_seconds",
    "faceid_ticket_upstream_token_calls_total",
  ]);
});

describe.each(expressions)("$title: $expr", ({ expr }) => {
  test("a panel uses only metrics that exist", () => {
    expect(metricsIn(expr).length).toBeGreaterThan(0);
    expect(metricsIn(expr).filter((name) => !knownMetrics().has(name))).toEqual([]);
  });
});

const missing = missingPromtool();
const asRules = (exprs: readonly string[]) =>
  stringify({
    groups: [{ name: "panels", rules: exprs.map((expr, i) => ({ record: `panel:${i}`, expr })) }],
  });

test.skipIf(missing)("promtool accepts every panel's expression", () => {
  expect(ruleProblems(asRules(expressions.map(({ expr }) => expr)))).toBe("");
  expect(ruleProblems(asRules(["rate(faceid_calls_total)"]))).not.toBe("");
});

test("nearly every metric of ours is on the dashboard", () => {
  const shown = new Set(expressions.flatMap(({ expr }) => metricsIn(expr)));
  const ours = [...knownMetrics()].filter(
    (name) => name.startsWith("faceid_") && !/_(sum|count)$/.test(name),
  );
  expect(ours.filter((name) => !shown.has(name))).toEqual([
    "faceid_ticket_token_age_seconds",
    "faceid_ticket_refresh_seconds_bucket",
  ]);
});
