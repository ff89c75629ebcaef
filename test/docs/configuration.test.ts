import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { variablesOfTheCode } from "../support/variables.ts";
import { quoted, read, rowsOf } from "./markdown.ts";

const configOf = (env: Record<string, string>) =>
  readConfig({ FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret", ...env }, () => "");

describe.each(["docs/configuration.md", "docs/configuration.zh-CN.md"])("the table of %s", (page) => {
  const rows = rowsOf(read(page));

  test("names every variable that the code reads, and no other", () => {
    // Node's own; the code never sees it.
    const expected = [...variablesOfTheCode(), "NODE_EXTRA_CA_CERTS"].sort();
    expect(rows.flatMap(([names]) => quoted(names)).sort()).toEqual(expected);
  });

  test("gives the defaults of the code", () => {
    const defaults = rows.flatMap(([names, value]) => {
      const [name] = quoted(names);
      const [text] = quoted(value);
      return name === undefined || text === undefined ? [] : [{ name, text }];
    });
    expect(defaults.length).toBeGreaterThan(10);
    for (const { name, text } of defaults) {
      if (name === "SANDBOX_PORT")
        expect(read("src/sandbox/arguments.ts")).toContain(`"SANDBOX_PORT"] ?? ${text}`);
      else expect(configOf({ [name]: text }), name).toEqual(configOf({}));
    }
  });
});

test.each(["docs/production.md", "docs/production.zh-CN.md"])(
  "%s sets no variable that the code does not read",
  (page) => {
    const set = [...read(page).matchAll(/\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=/g)].map(([, name = ""]) => name);
    expect(set.length).toBeGreaterThan(5);
    expect(set.filter((name) => !variablesOfTheCode().has(name))).toEqual([]);
  },
);
