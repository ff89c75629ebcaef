import { expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { newWebhookSecret } from "../../src/domain/webhook-signature.ts";
import { configOf, problemsOf } from "./problems.ts";

const SECRET = newWebhookSecret();
const OTHER = newWebhookSecret();
const LEDGER = { LEDGER_URL: "sqlite:./data" };
const webhooksOf = (endpoints: string, secrets: string) =>
  problemsOf({ ...LEDGER, WEBHOOK_ENDPOINTS: endpoints, WEBHOOK_SECRETS: secrets });

test("endpoints and secrets are separated by commas or lines, and several secrets of one name are kept in order", () => {
  const { webhooks } = configOf({
    ...LEDGER,
    WEBHOOK_ENDPOINTS: "shop=https://shop.example/hook?a=b, crm_1.x=http://127.0.0.1:3000\n",
    WEBHOOK_SECRETS: `shop:${SECRET}\nshop:${OTHER}\n\ncrm_1.x:${OTHER}\n`,
  });
  expect(webhooks.map(({ name, url, secrets }) => [name, url, secrets.map((s) => s.reveal())])).toEqual([
    ["shop", "https://shop.example/hook?a=b", [SECRET, OTHER]],
    ["crm_1.x", "http://127.0.0.1:3000", [OTHER]],
  ]);
  expect(JSON.stringify(webhooks)).not.toContain(SECRET);
  expect(configOf({}).webhooks).toEqual([]);
});

test("both may come from files", () => {
  const files: Record<string, string> = { "/e": "shop=https://shop.example", "/s": `shop:${SECRET}\n` };
  const env = {
    FACEID_APP_ID: "IDAXXXXX",
    FACEID_SECRET: "secret",
    ...LEDGER,
    WEBHOOK_ENDPOINTS_FILE: "/e",
    WEBHOOK_SECRETS_FILE: "/s",
  };
  expect(readConfig(env, (path) => files[path] ?? "").webhooks).toHaveLength(1);
});

const URL_RULE = "WEBHOOK_ENDPOINTS: the URL of shop must be https, without user, password and fragment";
const NAME_RULE = "WEBHOOK_ENDPOINTS: entry 1 must be name=URL, the name 1 to 64 letters, digits or . _ -";
const SECRET_RULE =
  "WEBHOOK_SECRETS: entry 2 must be name:whsec_…, with 24 to 64 bytes in Base64 after whsec_";

test.each<[string, string, string, string[]]>([
  ["no URL", "shop=hook", `shop:${SECRET}`, [URL_RULE]],
  ["another scheme", "shop=ftp://shop.example", `shop:${SECRET}`, [URL_RULE]],
  ["credentials", "shop=https://u:hunter2@shop.example", `shop:${SECRET}`, [URL_RULE]],
  ["a user alone", "shop=https://hunter2@shop.example", `shop:${SECRET}`, [URL_RULE]],
  ["a fragment", "shop=https://shop.example/#hunter2", `shop:${SECRET}`, [URL_RULE]],
  ["no name", "https://hunter2.example/hook", "", [NAME_RULE]],
  ["a long name", `${"n".repeat(65)}=https://shop.example`, "", [NAME_RULE]],
  ["an odd name", "a b=https://shop.example", "", [NAME_RULE]],
  [
    "a name twice",
    "shop=https://a.example,shop=https://b.example",
    `shop:${SECRET}`,
    ["WEBHOOK_ENDPOINTS: shop is listed twice"],
  ],
  [
    "an endpoint without a secret",
    "shop=https://a.example,crm=https://b.example",
    `shop:${SECRET}`,
    ["WEBHOOK_SECRETS: the endpoint crm has no secret; add crm:whsec_…"],
  ],
  [
    "a secret of no endpoint",
    "shop=https://a.example",
    `shop:${SECRET},crm:${SECRET},crm:${OTHER}`,
    ["WEBHOOK_SECRETS: WEBHOOK_ENDPOINTS has no endpoint crm"],
  ],
  ["no whsec_", "shop=https://a.example", `shop:${SECRET},shop:hunter2`, [SECRET_RULE]],
  ["a short secret", "shop=https://a.example", `shop:${SECRET},shop:whsec_aHVudGVyMg==`, [SECRET_RULE]],
  ["a secret alone", "shop=https://a.example", `shop:${SECRET},${OTHER}`, [SECRET_RULE]],
])("%s is one sentence that quotes nothing", (_what, endpoints, secrets, problems) => {
  const found = webhooksOf(endpoints, secrets);
  expect(found).toEqual(problems);
  expect(found.join()).not.toMatch(/hunter2|aHVudGVyMg/);
  expect(found.join()).not.toContain(OTHER);
});

test("endpoints need a ledger, and https beyond this machine", () => {
  const endpoint = { WEBHOOK_ENDPOINTS: "shop=https://a.example", WEBHOOK_SECRETS: `shop:${SECRET}` };
  expect(problemsOf(endpoint)).toEqual(["WEBHOOK_ENDPOINTS: needs a ledger; set LEDGER_URL"]);
  const clear = {
    ...LEDGER,
    WEBHOOK_ENDPOINTS: "near=http://localhost:1,far=http://10.0.0.1/hook",
    WEBHOOK_SECRETS: `near:${SECRET},far:${SECRET}`,
  };
  expect(problemsOf(clear)).toEqual([
    "WEBHOOK_ENDPOINTS: must be https beyond this machine; or set ALLOW_INSECURE=WEBHOOK_ENDPOINTS",
  ]);
  expect(problemsOf({ ...clear, ALLOW_INSECURE: "WEBHOOK_ENDPOINTS" })).toEqual([]);
  expect(problemsOf({ ...clear, ALLOW_INSECURE: "1" })).toEqual([]);
});
