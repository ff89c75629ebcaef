import { describe, expect, test } from "vitest";
import { allowedReturnUrl, withLinkId } from "../../src/domain/return-url.ts";
import { configOf, problemsOf } from "./problems.ts";

describe("PUBLIC_URL and LINK_RETURN_URLS", () => {
  test("without PUBLIC_URL there are no links", () => {
    expect(configOf({}).links).toBeUndefined();
  });

  test("prefixes are separated by commas or lines, and a slash at the end means nothing", () => {
    const { links } = configOf({
      PUBLIC_URL: "https://verify.example/face/",
      LINK_RETURN_URLS: "https://shop.example/a, https://other.example:8443/\nhttps://third.example",
    });
    expect(links?.publicUrl).toBe("https://verify.example/face");
    expect(links?.returnUrls.map(({ href }) => href)).toEqual([
      "https://shop.example/a",
      "https://other.example:8443/",
      "https://third.example/",
    ]);
  });

  test.each([
    [{ PUBLIC_URL: "verify.example" }, "PUBLIC_URL: must be an http or https URL without query"],
    [{ PUBLIC_URL: "https://verify.example/?a=1" }, "PUBLIC_URL: must be an http or https URL without query"],
    [
      { PUBLIC_URL: "https://user:secret@verify.example" },
      "PUBLIC_URL: must be an http or https URL without user, password and query",
    ],
    [
      { PUBLIC_URL: "http://verify.example" },
      "PUBLIC_URL: must be https beyond this machine; or set ALLOW_INSECURE=PUBLIC_URL",
    ],
    [
      { PUBLIC_URL: "https://verify.example", LINK_RETURN_URLS: "http://shop.example" },
      "LINK_RETURN_URLS: must be https beyond this machine; or set ALLOW_INSECURE=LINK_RETURN_URLS",
    ],
    [{ LINK_RETURN_URLS: "https://shop.example" }, "LINK_RETURN_URLS: needs links; set PUBLIC_URL"],
    ...[
      "shop.example",
      "/verified",
      "javascript:alert(1)",
      "https://u@shop.example",
      "https://shop.example/?a",
      "https://shop.example/#a",
    ].map((url): [Record<string, string>, string] => [
      { PUBLIC_URL: "https://verify.example", LINK_RETURN_URLS: `https://fine.example,${url}` },
      "LINK_RETURN_URLS: entry 2 must be an http or https URL without user, password, query and fragment",
    ]),
  ])("%o is one clear sentence", (env, sentence) => {
    const problems = problemsOf(env);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(sentence);
    expect(problems[0]).not.toContain("secret");
  });

  test("http is allowed to this machine, and where it is said to be", () => {
    expect(configOf({ PUBLIC_URL: "http://127.0.0.1:8080" }).links).toBeDefined();
    expect(configOf({ PUBLIC_URL: "http://v.example", ALLOW_INSECURE: "PUBLIC_URL" }).links).toBeDefined();
  });
});

describe("a return URL", () => {
  const prefixes = [
    new URL("https://shop.example/id"),
    new URL("https://all.example/"),
    new URL("http://127.0.0.1:3000/x/"),
  ];

  test.each([
    ["https://shop.example/id", true],
    ["https://SHOP.example/id/done?cart=1#end", true],
    ["https://shop.example:443/id/", true],
    ["https://all.example", true],
    ["https://all.example/anything/at/all", true],
    ["http://127.0.0.1:3000/x", true],
    ["http://127.0.0.1:3000/x/y", true],
    ["https://shop.example/identity", false],
    ["https://shop.example/ID", false],
    ["https://shop.example/", false],
    ["https://shop.example/id/../admin", false],
    ["https://shop.example/id/%2e%2e/admin", false],
    ["https://shop.example/id\\..\\..\\admin", false],
    ["https://shop.example.evil.example/id", false],
    ["https://shop.example@evil.example/id", false],
    ["https://evil.example/https://shop.example/id", false],
    ["https://shop.example:8443/id", false],
    ["http://shop.example/id", false],
    ["http://127.0.0.1:3001/x", false],
    ["//shop.example/id", false],
    ["/id", false],
    ["javascript://shop.example/id", false],
    ["", false],
  ])("%s is allowed: %s", (url, allowed) => {
    expect(allowedReturnUrl(url, prefixes) !== undefined).toBe(allowed);
  });

  test.each([
    ["https://shop.example/id", "https://shop.example/id?link_id=L"],
    ["https://shop.example/id?a=%20b&c", "https://shop.example/id?a=%20b&c&link_id=L"],
    ["https://shop.example/id#end", "https://shop.example/id?link_id=L#end"],
    ["https://shop.example/id?link_id=other&a=1", "https://shop.example/id?a=1&link_id=L"],
  ])("%s gets the link's id, and nothing else is changed", (url, expected) => {
    expect(withLinkId(url, "L")).toBe(expected);
  });
});
