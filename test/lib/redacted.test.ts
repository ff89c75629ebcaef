import { inspect } from "node:util";
import pino from "pino";
import { describe, expect, test } from "vitest";
import { Pii, Secret } from "../../src/lib/redacted.ts";

const MARK = "MARKED-7f3a";

describe.each([
  ["a secret", new Secret(MARK)],
  ["a name", new Pii(MARK)],
  ["a photo", new Pii(Buffer.from(MARK))],
])("%s", (_what, value) => {
  test.each([
    ["JSON", () => JSON.stringify({ deep: [{ value }] })],
    // biome-ignore lint/style/useTemplate: concatenation is the point
    ["concatenation", () => "" + value],
    ["a template", () => `${value as unknown as string}`],
    ["String()", () => String(value)],
    ["inspect", () => inspect({ deep: [{ value }] }, { depth: 10, showHidden: true })],
    ["inspect without customs", () => inspect(value, { customInspect: false, showHidden: true })],
    [
      "an error's message",
      () => inspect(new Error(`no luck with ${value as unknown as string}`, { cause: value })),
    ],
    ["its own properties", () => JSON.stringify(Object.entries(value))],
    ["a clone", () => inspect(structuredClone({ value }))],
    [
      "a careless log line",
      () => {
        const lines: string[] = [];
        pino({}, { write: (line: string) => lines.push(line) }).info({
          value,
          err: new Error(String(value)),
        });
        return lines.join("");
      },
    ],
  ])("a redacted value does not show in %s", (_how, print) => {
    const text = print();
    expect(text).not.toContain(MARK);
    expect(text).not.toContain(Buffer.from(MARK).toString("base64"));
    expect(text).not.toContain([...Buffer.from(MARK)].join(","));
  });

  test("reveal() returns the redacted value", () => {
    expect(Buffer.from(value.reveal()).toString()).toBe(MARK);
  });
});
