import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

// A stand-in for the vendor: the five calls without any check, so that it costs as little as it can. `/bench?delayMs=30`
// sets how long each answer takes from then on, and tells of calls and connections so far.

const QUERY = "/api/v2/base/queryfacerecord";
const VIDEO = Buffer.alloc(8 * 1024 * 1024, "video").toString("base64");
const PHOTO = Buffer.alloc(100 * 1024, "photo").toString("base64");
const EXPIRY = { expire_time: "20991231235959", expire_in: "7200" };
const seen = { calls: 0, connections: 0, waiting: 0, most: 0 };
let delayMs = 0;
let serial = 0;

function answer(path: string, query: URLSearchParams, body: string): object {
  const ok = { code: "0", msg: "ok", bizSeqNo: `2611${++serial}`, transactionTime: "20261125030000" };
  if (path.endsWith("/access_token")) return { ...ok, access_token: "a".repeat(64), ...EXPIRY };
  if (path.endsWith("/api_ticket")) return { ...ok, tickets: [{ value: "t".repeat(64), ...EXPIRY }] };
  const orderNo = query.get("orderNo");
  if (path !== QUERY) return { ...ok, result: { orderNo, faceId: "f".repeat(32), success: true } };
  const media = body.includes('"getFile"') ? { photo: PHOTO, video: VIDEO } : {};
  const scores = { liveRate: "99", similarity: "95.5", occurredTime: "20261125030000" };
  return { ...ok, result: { orderNo, ...scores, ...media } };
}

function reply(response: ServerResponse, json: object): void {
  const text = JSON.stringify(json);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://upstream");
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString("latin1");
  });
  request.on("end", () => {
    if (pathname === "/bench") {
      delayMs = Number(searchParams.get("delayMs") ?? delayMs);
      return reply(response, seen);
    }
    seen.calls++;
    seen.waiting++;
    seen.most = Math.max(seen.most, seen.waiting);
    const finish = () => {
      seen.waiting--;
      reply(response, answer(pathname, searchParams, body));
    };
    if (delayMs === 0) finish();
    else setTimeout(finish, delayMs);
  });
}

createServer({ keepAliveTimeout: 600_000 }, serve)
  .on("connection", () => seen.connections++)
  .listen(Number(process.env["PORT"]), "127.0.0.1");
