import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { missingPromtool } from "../support/promtool.ts";
import { missingRedis, stopRedis } from "../support/redis.ts";
import * as causing from "./causes.ts";
import { course } from "./exposition.ts";
import * as causingForLinks from "./link-causes.ts";
import * as causingForOrders from "./order-causes.ts";
import { INTERVAL_SECONDS, ruleProblems, wrongAnswers } from "./promtool-tests.ts";
import { anchorsOf, knownMetrics, metricsIn } from "./vocabulary.ts";

const ROOT = join(import.meta.dirname, "../..");
const FILE = join(ROOT, "deploy/prometheus/alerts.yaml");
const text = readFileSync(FILE, "utf8");

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}
const rules = (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

const missing = missingPromtool() ?? missingRedis("redis-server");

test.skipIf(missing)("promtool accepts the rules", () => {
  expect(ruleProblems(text)).toBe("");
});

describe.each(rules)("$alert", ({ expr, labels, annotations }) => {
  test("an alert uses only metrics that exist", () => {
    expect(metricsIn(expr).length).toBeGreaterThan(0);
    expect(metricsIn(expr).filter((name) => !knownMetrics().has(name))).toEqual([]);
  });

  test("an alert has a severity, an explanation and a runbook link", () => {
    expect(["page", "ticket"]).toContain(labels.severity);
    expect(annotations.summary).not.toBe("");
    expect(annotations.description).toMatch(/\.$/);
    const [path = "", anchor = ""] = annotations.runbook_url.split("#");
    expect(anchorsOf(readFileSync(join(ROOT, path), "utf8"))).toContain(anchor);
  });
});

test("the runbook names every alert, and only alerts that exist", () => {
  const runbook = readFileSync(join(ROOT, "docs/runbook.md"), "utf8");
  const named = [...new Set([...runbook.matchAll(/`(Faceid\w+)`/g)].map(([, name = ""]) => name))].sort();
  expect(named).toEqual(rules.map(({ alert }) => alert).sort());
});

describe.skipIf(missing)("in the sandbox", () => {
  const causes: causing.Causes = {};
  beforeAll(async () => {
    for (const all of [causing, causingForOrders, causingForLinks])
      for (const cause of Object.values(all)) Object.assign(causes, await cause());
  }, 180_000);
  afterAll(stopRedis);

  test("every alert rule has a cause in the sandbox, and every cause a rule", () => {
    expect(Object.keys(causes).sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  test.each(rules)(
    "the alert $alert fires on its cause, and no alert fires before",
    ({ alert, for: holding = "0s" }) => {
      const { before, after, goesOn = false, quietMinutes = 20 } = causes[alert] as causing.Cause;
      const quietSeconds = quietMinutes * 60;
      const firesAt = quietSeconds + Math.ceil(seconds(holding) / INTERVAL_SECONDS) * INTERVAL_SECONDS + 120;
      const samples = { quiet: quietSeconds / INTERVAL_SECONDS, trouble: firesAt / INTERVAL_SECONDS, goesOn };
      const series = course(before, after, samples);
      expect(series.length).toBeGreaterThan(50);
      const at = [
        { seconds: quietSeconds - INTERVAL_SECONDS, firing: undefined },
        { seconds: firesAt, firing: alert },
      ];
      expect(wrongAnswers(FILE, { series, at })).toBe("");
    },
  );

  test("promtool reports a planted alert that does not fire", () => {
    const { before } = causes["FaceidStoreDown"] as causing.Cause;
    const series = course(before, before, { quiet: 80, trouble: 80, goesOn: false });
    expect(wrongAnswers(FILE, { series, at: [{ seconds: 2_000, firing: "FaceidStoreDown" }] })).not.toBe("");
    expect(wrongAnswers(FILE, { series, at: [{ seconds: 2_000, firing: undefined }] })).toBe("");
  });
});

function seconds(duration: string): number {
  const [, count, unit] = /^(\d+)([sm])$/.exec(duration) ?? [];
  return Number(count) * (unit === "m" ? 60 : 1);
}
