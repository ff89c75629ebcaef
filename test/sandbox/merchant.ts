import type { Clock } from "../../src/lib/clock.ts";
import type { SandboxOptions } from "../../src/sandbox/options.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { expectedSign } from "../../src/sandbox/vendor/verify.ts";

export interface Json {
  code?: string;
  access_token?: string;
  expire_in?: unknown;
  expire_time?: string;
  transactionTime?: string;
  tickets?: { value: string; expire_in: unknown; expire_time: string }[];
  result?: Record<string, unknown>;
  [name: string]: unknown;
}

/** Changes to a call's fields; undefined removes a field. */
export type Changes = Record<string, unknown>;

export const PERSON = { name: "张三丰", idNo: "11010519491231002X" };

/** A merchant's server and app: makes every call the way the vendor requires, and wrong ones on request. */
export function createMerchant(sandbox: Sandbox) {
  const { appId } = sandbox;
  let count = 0;
  const nonce = () => String(++count).padStart(32, "n");
  const orderNo = () => `order${++count}`;

  async function request(path: string, init?: RequestInit): Promise<Json> {
    const response = await fetch(sandbox.url + path, init);
    return (await response.json()) as Json;
  }
  function get(path: string, query: Changes): Promise<Json> {
    const entries = Object.entries(query).filter(([, value]) => value !== undefined);
    return request(`${path}?${new URLSearchParams(entries as [string, string][]).toString()}`);
  }
  function post(path: string, body: unknown, contentType = "application/json"): Promise<Json> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return request(path, { method: "POST", headers: { "content-type": contentType }, body: text });
  }

  const fetchToken = (changes: Changes = {}) =>
    get("/api/oauth2/access_token", {
      app_id: appId,
      secret: sandbox.secret,
      grant_type: "client_credential",
      version: "1.0.0",
      ...changes,
    });
  const fetchTicket = (token: string, changes: Changes = {}) =>
    get("/api/oauth2/api_ticket", {
      app_id: appId,
      access_token: token,
      type: "SIGN",
      version: "1.0.0",
      ...changes,
    });

  /** A token and its SIGN ticket. */
  async function refresh(): Promise<{ token: string; ticket: string }> {
    const token = (await fetchToken()).access_token ?? "";
    return { token, ticket: (await fetchTicket(token)).tickets?.[0]?.value ?? "" };
  }

  function uploadBody(ticket: string, changes: Changes = {}, appIdField = "appId") {
    const body = {
      orderNo: orderNo(),
      ...PERSON,
      userId: "user1",
      version: "1.0.0",
      nonce: nonce(),
      ...changes,
    };
    const sign = expectedSign([appId, body.userId, body.version, body.nonce], ticket).toUpperCase();
    return { [appIdField]: appId, sign, ...body };
  }
  function upload(ticket: string, changes: Changes = {}): Promise<Json> {
    const body = uploadBody(ticket, changes);
    return post(`/api/server/getAdvFaceId?orderNo=${String(body["orderNo"])}`, body);
  }

  function query(ticket: string, order: string, changes: Changes = {}): Promise<Json> {
    const body = { appId, orderNo: order, version: "1.0.0", nonce: nonce(), ...changes };
    const sign = expectedSign([body.appId, body.orderNo, body.version, body.nonce], ticket);
    return post(`/api/v2/base/queryfacerecord?orderNo=${order}`, { sign, ...body });
  }

  /** The app's launch parameters: upload and NONCE ticket of one user, signed. */
  async function launch(pair: { token: string; ticket: string }, changes: Changes = {}) {
    const uploaded = await upload(pair.ticket, changes);
    const userId = typeof changes["userId"] === "string" ? changes["userId"] : "user1";
    const issued = await fetchTicket(pair.token, { type: "NONCE", user_id: userId });
    const fresh = nonce();
    return {
      order_no: String(uploaded.result?.["orderNo"]),
      face_id: String(uploaded.result?.["faceId"]),
      app_id: appId,
      version: "1.0.0",
      nonce: fresh,
      user_id: userId,
      sign: expectedSign([appId, userId, "1.0.0", fresh], issued.tickets?.[0]?.value ?? ""),
      licence: "ignored",
      server_time: 1,
    };
  }

  const play = (params: unknown) => post("/sdk/verify", params);
  const rules = () => sandbox.breaches.map(({ rule }) => rule);

  return {
    request,
    get,
    post,
    fetchToken,
    fetchTicket,
    refresh,
    uploadBody,
    upload,
    query,
    launch,
    play,
    rules,
    nonce,
  };
}

/** A frozen clock, so that only `advance` moves a sandbox. */
export function frozenClock(): Clock {
  return {
    now: () => Date.UTC(2026, 0, 1),
    monotonic: () => 0,
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      }),
  };
}

/** Runs `work` against a started sandbox with a frozen clock, then stops it. */
export async function withSandbox(
  options: SandboxOptions,
  work: (sandbox: Sandbox, merchant: ReturnType<typeof createMerchant>) => Promise<void>,
): Promise<void> {
  const sandbox = createSandbox({ clock: frozenClock(), ...options });
  await sandbox.start();
  try {
    await work(sandbox, createMerchant(sandbox));
  } finally {
    await sandbox.stop();
  }
}

/** Yields to the event loop until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
