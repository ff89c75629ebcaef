import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A vendor that shares no code with the service, written from the vendor's rules alone (docs/protocol.md 1 to 6 and 9): one
 * WBappid, one edition, and everything that a page needs. What it is not sent as documented, it records and refuses.
 */
export interface StrictVendor {
  url: string;
  appId: string;
  secret: string;
  /** Everything that was wrong, in words. */
  breaches: string[];
  /** NONCE tickets given out. */
  nonceTickets(): number;
  uploads(): number;
  queries(): number;
  /** What the next uploads recommend as the host of the page. */
  optimalDomain: string;
  /** Ends a capture at the page of a launch URL and resolves to the URL that the browser is sent back to. */
  capture(launchUrl: string, code: string, how?: CallbackChanges): string;
  /** Fetches a launch URL; resolves to the order number, or undefined if the launch was refused. */
  open(launchUrl: string): Promise<string | undefined>;
  /** Makes every answer of the query fail with HTTP 503. */
  queryDown: boolean;
  /** How far its clock is ahead, milliseconds. */
  aheadMs: number;
  stop(): Promise<void>;
}

export interface CallbackChanges {
  /** The signature, in place of the right one; null for none. */
  signature?: string | null;
  lowerCase?: boolean;
  /** The code that the browser brings, if it is not that of the record. */
  shown?: string;
  /** Whether the capture leaves a record; front-end codes do not. */
  record?: boolean;
}

interface Order {
  orderNo: string;
  userId: string;
  faceId: string;
  uploadedAt: number;
  code?: string;
}

const FRONT_END = ["3001", "3002", "3003", "3004", "3005", "300101"];
const text = (value: unknown) => (typeof value === "string" ? value : "");
const hex = (bytes: number) => randomBytes(bytes).toString("hex");

/** SHA-1 over the values and the ticket, in the order of their UTF-16 code units, upper-case. */
export function vendorSign(values: readonly string[], ticket: string): string {
  const sorted = [...values, ticket].sort((a, b) => (a === b ? 0 : a < b ? -1 : 1));
  return createHash("sha1").update(sorted.join(""), "utf8").digest("hex").toUpperCase();
}

export async function startStrictVendor(edition: "basic" | "enhanced" | "plus"): Promise<StrictVendor> {
  const [appId, secret] = ["TIDA4711", hex(32)];
  const breaches: string[] = [];
  const tokens = new Set<string>();
  const signTickets: string[] = [];
  const nonces = new Map<string, { userId: string; at: number; used: boolean }>();
  const lastNonceAt = new Map<string, number>();
  const orders = new Map<string, Order>();
  const seenNonces = new Set<string>();
  let counts = { uploads: 0, queries: 0 };

  const now = () => Date.now() + vendor.aheadMs;
  const fail = (what: string) => {
    breaches.push(what);
    return false;
  };
  const must = (holds: boolean, what: string) => holds || fail(what);
  const exactly = (
    names: readonly string[],
    allowed: readonly string[],
    required: readonly string[],
    what: string,
  ) => {
    const extra = names.filter((name) => !allowed.includes(name));
    const missing = required.filter((name) => !names.includes(name));
    return (
      must(extra.length === 0, `${what}: too many: ${extra.join()}`) &&
      must(missing.length === 0, `${what}: missing: ${missing.join()}`)
    );
  };

  function token(query: Record<string, string>): object {
    const ok =
      exactly(
        Object.keys(query),
        ["app_id", "secret", "grant_type", "version"],
        ["app_id", "secret", "grant_type", "version"],
        "token",
      ) && must(query["secret"] === secret && query["app_id"] === appId, "token: wrong credentials");
    if (!ok) return { code: "400104" };
    const value = hex(32);
    tokens.add(value);
    return { code: "0", access_token: value, expire_in: "7200", transactionTime: "20260101000000" };
  }

  function ticket(query: Record<string, string>): object {
    const { type = "", user_id: userId = "" } = query;
    if (!must(tokens.has(query["access_token"] ?? ""), "ticket: unknown token")) return { code: "400103" };
    const value = hex(32);
    if (type === "SIGN") signTickets.unshift(value);
    else {
      const ok =
        must(type === "NONCE", "ticket: type") &&
        must(/^[0-9A-Za-z]{1,32}$/.test(userId), "ticket: user_id") &&
        must(now() - (lastNonceAt.get(userId) ?? 0) >= 2_000, "ticket: a second one within two seconds");
      if (!ok) return { code: "400504" };
      lastNonceAt.set(userId, now());
      nonces.set(value, { userId, at: now(), used: false });
    }
    const tickets = [{ value, expire_in: type === "SIGN" ? "3600" : "120" }];
    return { code: "0", tickets, transactionTime: "20260101000000" };
  }

  const isSigned = (sign: string, values: readonly string[]) =>
    signTickets.slice(0, 2).some((one) => sign.toUpperCase() === vendorSign(values, one));

  function upload(path: string, query: Record<string, string>, body: Record<string, unknown>): object {
    const web = path.endsWith("/h5/geth5faceid");
    const field = (name: string) => text(body[name]);
    const [orderNo, userId, name, idNo] = [field("orderNo"), field("userId"), field("name"), field("idNo")];
    const app = web ? field("appId") || field("webankAppId") : field("appId");
    const common = ["orderNo", "name", "idNo", "userId", "version", "sign"];
    const own = web ? [...common, "appId" in body ? "appId" : "webankAppId"] : [...common, "appId", "nonce"];
    const values = web ? [app, orderNo, name, idNo, userId, "1.0.0"] : [app, userId, "1.0.0", field("nonce")];
    const ok =
      must(web === (edition === "basic"), `upload: the wrong path for ${edition}`) &&
      must(query["orderNo"] === orderNo, "upload: orderNo in the query") &&
      exactly(Object.keys(body), own, own, "upload") &&
      must(app === appId, "upload: app id") &&
      must(/^[0-9A-Za-z]{1,32}$/.test(orderNo) && !orders.has(orderNo), "upload: order number") &&
      must(/^[0-9A-Za-z]{1,32}$/.test(userId), "upload: user id") &&
      must(isSigned(field("sign"), values), "upload: signature");
    if (!ok) return { code: "400101" };
    counts = { ...counts, uploads: counts.uploads + 1 };
    const faceId = `tx${hex(15)}`;
    orders.set(orderNo, { orderNo, userId, faceId, uploadedAt: now() });
    const result = {
      orderNo,
      [web ? "h5faceId" : "faceId"]: faceId,
      optimalDomain: vendor.optimalDomain,
      success: false,
    };
    return { code: web ? 0 : "0", bizSeqNo: hex(16), result, transactionTime: "20260101000000" };
  }

  function query(inUrl: Record<string, string>, body: Record<string, unknown>): object {
    const orderNo = text(body["orderNo"]);
    const nonce = text(body["nonce"]);
    counts = { ...counts, queries: counts.queries + 1 };
    const ok =
      must(inUrl["orderNo"] === orderNo, "query: orderNo in the URL") &&
      must(isSigned(text(body["sign"]), [appId, orderNo, "1.0.0", nonce]), "query: signature");
    if (!ok) return { code: "400101" };
    const order = orders.get(orderNo);
    if (order?.code === undefined) return { code: "66660011", bizSeqNo: hex(16) };
    return {
      code: order.code,
      bizSeqNo: hex(16),
      result: { orderNo, liveRate: "99", similarity: "88.01", appId },
    };
  }

  /** Judges a launch; resolves to its order. Whoever asks spends the ticket. */
  function launch(path: string, parameters: URLSearchParams): Order | undefined {
    const names = [...parameters.keys()];
    const get = (name: string) => parameters.get(name) ?? "";
    const pc = path === "/api/pc/login";
    const [app, face] = edition === "basic" ? ["webankAppId", "h5faceId"] : ["appId", "faceId"];
    const required = [app, face, "version", "nonce", "orderNo", "url", "userId", "sign"] as string[];
    const allowed = pc ? required : [...required, "resultType", "from", "redirectType"];
    const order = orders.get(get("orderNo"));
    const values = [appId, get("userId"), get("orderNo"), "1.0.0", get(face as string), get("nonce")];
    const [spent] = [...nonces].filter(([value]) => get("sign").toUpperCase() === vendorSign(values, value));
    const [, one] = spent ?? [];
    const url = URL.parse(get("url"));
    const ok =
      must(!pc || edition === "basic", "launch: a PC page") &&
      must(new Set(names).size === names.length, "launch: a parameter twice") &&
      exactly(names, allowed, required, "launch") &&
      must(get(app as string) === appId && get("version") === "1.0.0", "launch: app id or version") &&
      must(/^[0-9A-Za-z]{32}$/.test(get("nonce")) && !seenNonces.has(get("nonce")), "launch: nonce") &&
      must(url !== null && url.search === "" && url.hash === "", "launch: url") &&
      must(pc || get("from") === "browser", "launch: from") &&
      must(
        order !== undefined && order.faceId === get(face as string) && order.userId === get("userId"),
        "launch: order, faceId or user",
      ) &&
      must(order !== undefined && now() - order.uploadedAt < 300_000, "launch: an old faceId") &&
      must(order?.code === undefined, "launch: a faceId that was used") &&
      must(one !== undefined, "launch: signature") &&
      must(one?.used === false, "launch: a spent NONCE ticket") &&
      must(one !== undefined && now() - one.at < 120_000, "launch: an old NONCE ticket") &&
      must(one?.userId === get("userId"), "launch: another user's NONCE ticket");
    seenNonces.add(get("nonce"));
    if (one) one.used = true;
    return ok ? order : undefined;
  }

  const server = createServer(async (request: IncomingMessage, response) => {
    const url = new URL(request.url ?? "", "http://vendor");
    const raw = Buffer.concat(await request.toArray()).toString();
    const body = raw === "" ? {} : (JSON.parse(raw) as Record<string, unknown>);
    const parameters = Object.fromEntries(url.searchParams);
    const path = url.pathname;
    if (path.endsWith("/login")) {
      const order = launch(path, url.searchParams);
      return response.writeHead(order ? 200 : 403).end(order?.orderNo);
    }
    if (path.endsWith("queryfacerecord") && vendor.queryDown) return response.writeHead(503).end();
    const answer = path.endsWith("access_token")
      ? token(parameters)
      : path.endsWith("api_ticket")
        ? ticket(parameters)
        : path.endsWith("queryfacerecord")
          ? query(parameters, body)
          : upload(path, parameters, body);
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const vendor: StrictVendor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    appId,
    secret,
    breaches,
    optimalDomain: "",
    queryDown: false,
    aheadMs: 0,
    nonceTickets: () => nonces.size,
    uploads: () => counts.uploads,
    queries: () => counts.queries,
    async open(launchUrl) {
      const response = await fetch(launchUrl);
      return response.ok ? response.text() : undefined;
    },
    capture(launchUrl, code, { signature, lowerCase = false, shown = code, record } = {}) {
      const parameters = new URL(launchUrl).searchParams;
      const order = orders.get(parameters.get("orderNo") ?? "");
      if (!order) throw new Error("no such order");
      if (record ?? !FRONT_END.includes(code)) order.code = code;
      const right = vendorSign([appId, order.orderNo, shown], signTickets[0] ?? "");
      const sent = signature === undefined ? (lowerCase ? right.toLowerCase() : right) : signature;
      const name = launchUrl.includes("/api/pc/") ? "newSign" : "newSignature";
      const back = new URLSearchParams({
        code: shown,
        orderNo: order.orderNo,
        h5faceId: order.faceId,
        ...(sent !== null && { [name]: sent }),
      });
      return `${parameters.get("url")}?${back.toString()}`;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return vendor;
}
