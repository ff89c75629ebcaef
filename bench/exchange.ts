import { createHash, randomBytes } from "node:crypto";
import { Agent } from "undici";

// What a program must do for one call and nothing more: the calls to the vendor, at once, and the signature. No validation,
// no log, no limits; token and ticket are constants. The floor and the peers are built on it.

const ORIGIN = process.env["UPSTREAM"] ?? "";
const APP_ID = "TIDA0001";
const TOKEN = "a".repeat(64);
const TICKET = "t".repeat(64);
const agent = new Agent({ connections: 64, pipelining: 1, allowH2: false });

export interface FaceParams {
  orderNo: string;
  faceId: string;
  appId: string;
  version: string;
  nonce: string;
  userId: string;
  sign: string;
}

export function sign(...values: string[]): string {
  return createHash("sha1").update(values.sort().join("")).digest("hex").toUpperCase();
}

export const random = (): string => randomBytes(16).toString("hex");
export const uploadPath = (orderNo: string): string => `/api/server/getAdvFaceId?orderNo=${orderNo}`;
export const noncePath = (userId: string): string =>
  `/api/oauth2/api_ticket?app_id=${APP_ID}&version=1.0.0&type=NONCE&user_id=${userId}&access_token=${TOKEN}`;

export function uploadBody(orderNo: string, name: string, idNo: string, userId: string): string {
  const nonce = random();
  const signature = sign(APP_ID, userId, "1.0.0", nonce, TICKET);
  const app = { appId: APP_ID, version: "1.0.0", nonce, sign: signature };
  return JSON.stringify({ ...app, orderNo, name, idNo, userId });
}

export function launch(orderNo: string, userId: string, faceId: string, ticket: string): FaceParams {
  const nonce = random();
  const signature = sign(APP_ID, userId, "1.0.0", nonce, ticket);
  return { orderNo, faceId, appId: APP_ID, version: "1.0.0", nonce, userId, sign: signature };
}

async function ask<T>(path: string, body?: string): Promise<T> {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const method = body === undefined ? "GET" : "POST";
  const response = await agent.request({ origin: ORIGIN, path, method, headers, body: body ?? null });
  return JSON.parse(await response.body.text()) as T;
}

export async function faceParams(name: string, idNo: string, userId: string): Promise<FaceParams> {
  const orderNo = random();
  const [upload, nonce] = await Promise.all([
    ask<{ result: { faceId: string } }>(uploadPath(orderNo), uploadBody(orderNo, name, idNo, userId)),
    ask<{ tickets: [{ value: string }] }>(noncePath(userId)),
  ]);
  return launch(orderNo, userId, upload.result.faceId, nonce.tickets[0].value);
}

export async function result(orderNo: string) {
  const nonce = random();
  const signature = sign(APP_ID, orderNo, "1.0.0", nonce, TICKET);
  const body = JSON.stringify({ appId: APP_ID, version: "1.0.0", nonce, orderNo, sign: signature });
  const { code, result: found } = await ask<{ code: string; result: Record<string, string> }>(
    `/api/v2/base/queryfacerecord?orderNo=${orderNo}`,
    body,
  );
  return { orderNo, code, liveRate: Number(found["liveRate"]), similarity: Number(found["similarity"]) };
}
