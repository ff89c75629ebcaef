import type { FastifyInstance, FastifyRequest } from "fastify";
import { readJsonObject } from "../vendor/request.ts";
import { isFromHere, type Pairing } from "./pairing.ts";
import { qrSvg } from "./qr.ts";

const COOKIE = "sandbox-pairing";
const HEADER = "x-sandbox-pairing";
const PREFIX = /^\/paired\/([0-9A-Za-z]{32})(?=\/)/;
/** What a device may load before it is paired. */
const OPEN = /^\/(pair|console\/[a-z-]+\.(js|css))$/;

/**
 * For Fastify's `rewriteUrl`: an app that keeps no cookies, or a backend on another machine, puts its token into the base URL,
 * as `/paired/TOKEN`.
 */
export function readPrefix(request: { url?: string | undefined; headers: Record<string, unknown> }): string {
  const { url = "/" } = request;
  const token = PREFIX.exec(url)?.[1];
  if (token === undefined) return url;
  request.headers[HEADER] = token;
  return url.replace(PREFIX, "");
}

/** Refuses every other machine's requests until it is paired, and pairs it. `address`: the base URL for a phone. */
export function addPairing(app: FastifyInstance, pairing: Pairing, address: () => string): void {
  app.addHook("onRequest", async (request, reply) => {
    if (isFromHere(request.socket) || pairing.isPaired(tokenOf(request))) return undefined;
    const [path = ""] = request.url.split("?", 1);
    if (OPEN.test(path)) return undefined;
    if (path === "/") return reply.redirect("/pair");
    return reply.code(403).send({ code: "403", msg: "not paired: open /pair and enter the sandbox's code" });
  });

  app.post("/pair", (request, reply) => {
    const { code } = readJsonObject(String(request.body)) ?? {};
    const token = pairing.pair(String(code), request.ip);
    if (token === undefined) return reply.code(403).send({ code: "403", msg: "wrong code" });
    void reply.header("set-cookie", `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict`);
    return { token, base_url: `${address()}/paired/${token}` };
  });

  // The code lets the next device in: only this machine sees it.
  const link = () => {
    const code = pairing.code();
    return code === undefined ? null : `${address()}/pair#${code}`;
  };
  app.get("/sandbox/pairing", (request) =>
    isFromHere(request.socket) ? { open: true, link: link(), code: pairing.code() ?? null } : { open: false },
  );
  app.post("/sandbox/pairing", (request) => {
    if (!isFromHere(request.socket)) throw new RangeError("only from the sandbox's own machine");
    pairing.renew();
    return { open: true, link: link(), code: pairing.code() };
  });
  app.get("/sandbox/pairing/qr.svg", async (request, reply) => {
    const text = isFromHere(request.socket) ? link() : null;
    if (text === null) return reply.code(404).send();
    return reply
      .headers({ "content-type": "image/svg+xml", "cache-control": "no-store" })
      .send(await qrSvg(text));
  });
}

function tokenOf({ headers }: FastifyRequest): string {
  const { [HEADER]: given, cookie = "" } = headers;
  if (typeof given === "string") return given;
  const pairs = cookie.split(/;\s*/).map((each) => each.split("=", 2));
  return pairs.find(([name]) => name === COOKIE)?.[1] ?? "";
}
