import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConformanceRuleName } from "../../src/conformance/rules.ts";
import { expectedSign } from "../../src/sandbox/vendor/verify.ts";

/** The vendor's URL and the backend's credentials. */
export interface Vendor {
  url: string;
  appId: string;
  secret: string;
}

interface Json {
  code?: string;
  access_token?: string;
  tickets?: [{ value: string }];
  result?: { faceId?: string };
}

interface Pair {
  token: string;
  ticket: string;
}

/** Ways of keeping every rule in another manner. */
export const MANNERS = [
  /** Codes as numbers, as old demos answer. */
  "numeric_codes",
  /** No verdict beside the code. */
  "codes_only",
  /** The SDK's own names, at the top level. */
  "sdk_names",
  /** 422 for bad input, and code 404 with HTTP 200 for an unknown order. */
  "other_statuses",
  /** A repeat while a launch is prepared gets that launch. */
  "shared_launch",
  /** Order numbers of 20 digits. */
  "short_numbers",
  /** The whole answer with every character escaped. */
  "escaped",
] as const;
export type Manner = (typeof MANNERS)[number];

/** A minimal backend that keeps every rule of the conformance kit, in its own manner, or breaks the one named. */
export async function startPlanted(vendor: Vendor, broken?: ConformanceRuleName, port = 0, manner?: Manner) {
  const breaks = (rule: ConformanceRuleName) => rule === broken;
  const does = (other: Manner) => other === manner;
  const running = new Map<string, Promise<[number, object]>>();
  const { appId } = vendor;
  const digits = (count: number) => Array.from(randomBytes(count), (byte) => byte % 10).join("");
  const word = (bytes: number) => randomBytes(bytes).toString("hex");
  const own = new Set<string>();
  const nonceTickets = new Map<string, string>();
  let pair: Promise<Pair> | undefined;
  const sign = (values: string[], ticket: string) => expectedSign(values, ticket).toUpperCase();

  async function get(path: string, query: Record<string, string>): Promise<Json> {
    const params = new URLSearchParams({ app_id: appId, version: "1.0.0", ...query });
    return (await (await fetch(`${vendor.url}${path}?${params.toString()}`)).json()) as Json;
  }
  async function post(path: string, orderNo: string, body: Record<string, string>): Promise<Json> {
    const extra = breaks("vendor_rules_kept") ? { channel: "web" } : {};
    const response = await fetch(`${vendor.url}${path}?orderNo=${orderNo}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ appId, orderNo, version: "1.0.0", ...body, ...extra }),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as Json;
  }

  async function fetchPair(): Promise<Pair> {
    const { access_token: token = "" } = await get("/api/oauth2/access_token", {
      secret: vendor.secret,
      grant_type: "client_credential",
    });
    const answer = await get("/api/oauth2/api_ticket", { access_token: token, type: "SIGN" });
    return { token, ticket: answer.tickets?.[0].value ?? "" };
  }
  function currentPair(): Promise<Pair> {
    if (breaks("token_not_per_request")) return fetchPair();
    pair ??= fetchPair();
    return pair;
  }
  /** Runs `work` with the pair, and once more with a newer one if the vendor refuses it. */
  async function withPair(work: (pair: Pair) => Promise<Json>): Promise<Json> {
    const used = currentPair();
    const answer = await work(await used);
    if (!["400101", "400103"].includes(answer.code ?? "") || breaks("survives_a_revoked_token"))
      return answer;
    // One refresh for all callers, unless that is the rule to break.
    if (breaks("no_overlapping_refresh")) pair = fetchPair();
    else if (pair === used) pair = fetchPair();
    return work(await currentPair());
  }

  async function params(form: URLSearchParams): Promise<[number, object]> {
    const [name, idNo] = [form.get("name") ?? "", form.get("id_no") ?? ""];
    if (!breaks("bad_input_refused") && (!isName(name) || !isIdNo(idNo)))
      return [does("other_statuses") ? 422 : 400, { code: "400", msg: "input" }];
    const userId = breaks("user_id_per_person") ? "everybody" : createHash("md5").update(idNo).digest("hex");
    const orderNo = breaks("order_no_per_attempt") ? userId : does("short_numbers") ? digits(20) : word(16);
    own.add(orderNo);
    const upload = async (by: Pair) => {
      const nonce = word(16);
      return post("/api/server/getAdvFaceId", orderNo, {
        name,
        idNo,
        userId,
        nonce,
        sign: sign([appId, userId, "1.0.0", nonce], by.ticket),
      });
    };
    if (breaks("signatures_valid")) await upload({ token: "", ticket: "wrong" });
    const uploaded = await withPair(upload);
    const faceId = uploaded.result?.faceId ?? (breaks("refused_upload_is_no_launch") ? word(16) : "");
    if (faceId === "") return [refusalStatus(uploaded), { code: uploaded.code, msg: "upload" }];

    let ticket = nonceTickets.get(userId);
    if (ticket === undefined || !breaks("one_nonce_ticket_per_launch")) {
      const answer = await withPair(({ token }) =>
        get("/api/oauth2/api_ticket", { access_token: token, type: "NONCE", user_id: userId }),
      );
      if (answer.code === "400504" && !breaks("double_tap")) return [429, { code: answer.code, msg: "wait" }];
      if (!answer.tickets) return [502, { code: answer.code, msg: "ticket" }];
      ticket = answer.tickets[0].value;
      nonceTickets.set(userId, ticket);
    }
    const nonce = breaks("nonce_never_reused") ? "n".repeat(32) : word(16);
    const signed = breaks("launch_starts_the_sdk") ? [appId, userId] : [appId, userId, "1.0.0", nonce];
    const launch = {
      order_no: orderNo,
      face_id: faceId,
      app_id: appId,
      version: "1.0.0",
      nonce,
      user_id: userId,
    };
    const leak = breaks("nothing_secret_in_answers") ? { debug: (await currentPair()).token } : {};
    const signature = sign(signed, ticket);
    if (does("sdk_names")) {
      const { order_no: agreementNo, face_id: faceId } = launch;
      const open = { openApiNonce: nonce, openApiSign: signature, openApiUserId: userId };
      const app = { openApiAppId: appId, openApiAppVersion: "1.0.0" };
      return [200, { code: "0", msg: "ok", agreementNo, faceId, ...app, ...open }];
    }
    return [200, { code: "0", msg: "ok", result: { ...launch, sign: signature, ...leak } }];
  }

  async function result(form: URLSearchParams): Promise<[number, object]> {
    const orderNo = form.get("order_no") ?? "";
    if (!breaks("bad_input_refused") && !/^[0-9A-Za-z]{1,32}$/.test(orderNo)) return [400, { code: "400" }];
    if (!own.has(orderNo)) {
      if (breaks("unknown_order_never_passes")) return [200, { code: "0" }];
      return [does("other_statuses") ? 200 : 404, { code: "404" }];
    }
    const answer = await withPair(({ ticket }) => {
      const nonce = word(16);
      return post("/api/v2/base/queryfacerecord", orderNo, {
        nonce,
        sign: sign([appId, orderNo, "1.0.0", nonce], ticket),
      });
    });
    const code = answer.code ?? "";
    const verdict = VERDICTS[code] ?? (breaks("failed_query_is_no_verdict") ? "FAILED" : undefined);
    if (verdict === undefined) return [502, { code, msg: "query" }];
    const said = verdict === "NOT_COMPLETED" && breaks("unfinished_is_not_failed") ? "FAILED" : verdict;
    const finding = does("codes_only") ? {} : { result: { verdict: said } };
    return [200, { code: breaks("only_passed_is_code_0") ? "0" : code, msg: "", ...finding }];
  }

  function written(json: object): string {
    const { code } = json as { code?: string };
    if (does("numeric_codes") && code !== undefined) return JSON.stringify({ ...json, code: Number(code) });
    const text = JSON.stringify(json);
    if (!does("escaped") && !breaks("nothing_secret_in_answers")) return text;
    // Only letters and digits within strings: what they spell stays the same.
    return text.replace(/"[^"]*"/g, (word) =>
      word.replace(/[0-9A-Za-z]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
  }

  async function answer(request: IncomingMessage): Promise<[number, object]> {
    const form = new URLSearchParams(await readText(request));
    try {
      if (request.url === "/get_result") return await result(form);
      if (!does("shared_launch")) return await params(form);
      const key = form.toString();
      const shared = running.get(key) ?? params(form).finally(() => running.delete(key));
      running.set(key, shared);
      return await shared;
    } catch {
      return [502, { code: "502", msg: "the vendor is away" }];
    }
  }

  const server = createServer((request, response) => {
    void answer(request).then(([status, json]) => {
      response.writeHead(status, { "content-type": "application/json" }).end(written(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const VERDICTS: Readonly<Record<string, string>> = {
  "0": "PASSED",
  "66660004": "FAILED",
  "66660010": "FAILED",
  "66660015": "FAILED",
  "66660023": "FAILED",
  "66660024": "FAILED",
  "66660005": "INCONCLUSIVE",
  "66660017": "INCONCLUSIVE",
  "66660038": "INCONCLUSIVE",
  "66660041": "INCONCLUSIVE",
  "66660042": "INCONCLUSIVE",
  "66660011": "NOT_COMPLETED",
};

const refusalStatus = ({ code = "" }: Json) => (code.startsWith("6666") ? 400 : 502);
const isName = (name: string) => name.trim().length >= 2 && !/\p{Cc}/u.test(name);

function isIdNo(idNo: string): boolean {
  if (!/^\d{17}[\dX]$/.test(idNo)) return false;
  const date = new Date(`${idNo.slice(6, 10)}-${idNo.slice(10, 12)}-${idNo.slice(12, 14)}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(idNo.slice(12, 14))) return false;
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const sum = weights.reduce((total, weight, i) => total + weight * Number(idNo[i]), 0);
  return "10X98765432"[sum % 11] === idNo[17];
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  return text;
}

if (import.meta.main) {
  const [port, broken] = process.argv.slice(2);
  const { env } = process;
  const vendor = {
    url: env["FACEID_BASE_URL"] ?? "",
    appId: env["FACEID_APP_ID"] ?? "",
    secret: env["FACEID_SECRET"] ?? "",
  };
  await startPlanted(vendor, broken as ConformanceRuleName | undefined, Number(port));
}
