import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { CODES } from "../../src/domain/codes.ts";
import { judge } from "../../src/domain/verdict.ts";
import { FAULT_KINDS } from "../../src/sandbox/controls/faults.ts";
import { ENDPOINTS } from "../../src/sandbox/vendor/request.ts";

const CONSOLE = join(import.meta.dirname, "../../src/sandbox/console");
const { TEXTS } = (await import(join(CONSOLE, "texts.js"))) as {
  TEXTS: Record<"zh" | "en", Record<string, string>>;
};
const sources = readdirSync(CONSOLE).map((name) => ({
  name,
  text: readFileSync(join(CONSOLE, name), "utf8"),
}));
const names = (values: object) =>
  Object.keys(values).filter((name) => /^[A-Z_]+$/.test(name) && name !== "UNSPECIFIED");

test("every file of the page stays below 200 lines, except the table of texts", () => {
  const lengths = sources.map(({ name, text }) => ({ name, lines: text.split("\n").length - 1 }));
  expect(lengths.filter(({ name, lines }) => lines > 200 && !/^(texts\.js|index\.html)$/.test(name))).toEqual(
    [],
  );
});

test("the Chinese texts say 腾讯云 and 密钥", () => {
  expect(Object.values(TEXTS.zh).filter((text) => /厂商|密文/.test(text))).toEqual([]);
});

test("both languages have the same texts with the same placeholders", () => {
  const blanks = (texts: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, [...text.matchAll(/\{\w+\}/g)].map(String).sort()]),
    );
  expect(blanks(TEXTS.zh)).toEqual(blanks(TEXTS.en));
  expect(Object.values(TEXTS.zh).filter((text) => text.trim() === "")).toEqual([]);
});

test("every verdict, reason, fault and call has a text", () => {
  const wanted = [
    ...names(Verdict).map((name) => `verdict_${name}`),
    ...names(VerdictReason).flatMap((name) => [`reason_${name}`, `next_${name}`]),
    ...FAULT_KINDS.map((kind) => `kind_${kind}`),
    ...ENDPOINTS.map((endpoint) => `lane_${endpoint}`),
    ...names(OrderState).map((name) => `state_${name}`),
    ...names(DeliveryState).map((name) => `delivery_${name}`),
  ];
  expect(wanted.filter((key) => !(key in TEXTS.en))).toEqual([]);
});

test("every key that the page uses has a text, and every text is used", () => {
  const html = sources.find(({ name }) => name === "index.html")?.text ?? "";
  const asked = [...html.matchAll(/data-t(?:-label|-title)?="([^"]+)"/g)].map(([, key = ""]) => key);
  expect(asked.length).toBeGreaterThan(40);
  expect(asked.filter((key) => !(key in TEXTS.en))).toEqual([]);
  const scripts = sources
    .filter(({ name }) => name !== "texts.js")
    .map(({ text }) => text)
    .join("\n");
  const inScript = (key: string) =>
    scripts.includes(`"${key}"`) ||
    /^(verdict|reason|next|error|rule|kind|lane|state|delivery|said|cause|tab)_/.test(key);
  expect(Object.keys(TEXTS.en).filter((key) => !asked.includes(key) && !inScript(key))).toEqual([]);
});

test("the page's advice matches the catalogue's", () => {
  // The advice that each next step must contain, as words of the English text.
  const words: Partial<Record<NextStep, RegExp>> = {
    [NextStep.NONE]: /Carry on|Stop here/,
    [NextStep.RETRY]: /start over/i,
    [NextStep.CHECK_INPUT]: /check/,
    [NextStep.OTHER_CHANNEL]: /another way|start over/i,
    [NextStep.STOP_FOR_TODAY]: /Stop for today/,
  };
  const days = 24 * 60 * 60 * 1000;
  const judged = [...CODES.values()].flatMap((entry) => [judge(entry, 0), judge(entry, 4 * days)]);
  for (const judgement of judged) {
    if ("error" in judgement) continue;
    const reason = names(VerdictReason).find(
      (name) => VerdictReason[name as keyof typeof VerdictReason] === judgement.reason,
    );
    expect(TEXTS.en[`next_${reason}`], reason).toMatch(words[judgement.nextStep] ?? /never/);
  }
});
