import type { IncomingHttpHeaders } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { IncomingCall } from "../../calls/call.ts";
import { type Language, languageOf } from "../../domain/messages.ts";
import { callerLeft } from "../../errors.ts";
import { scopeOf } from "../../lib/http.ts";

/** Query parameters by name; one that is repeated is an array. */
export type BrowserQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A parameter that was sent once; undefined if it was not sent, or more than once. */
export function once(query: BrowserQuery, name: string): string | undefined {
  const value = query[name];
  return typeof value === "string" ? value : undefined;
}

/**
 * Whether a page of another site may have sent this request. Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; what
 * sends neither is no browser, and sends no request for another site.
 */
export function isCrossSite(headers: IncomingHttpHeaders, ownOrigin: string): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  if (site !== undefined && site !== "same-origin") return true;
  if (origin === undefined) return false;
  // Opaque under some policies, even on this site.
  return origin === "null" ? site === undefined : origin !== ownOrigin;
}

/** Whether nobody is there to see the answer: a check by HEAD, or a browser that fetches what may be opened next. */
export function isAdvance({ method, headers }: FastifyRequest): boolean {
  const purposes = [headers["sec-purpose"], headers["purpose"], headers["x-purpose"], headers["x-moz"]];
  return method === "HEAD" || purposes.some((purpose) => /prefetch|prerender|preview/i.test(String(purpose)));
}

/** Whether a phone or tablet asks, as far as it says so. */
export function isMobile(headers: IncomingHttpHeaders): boolean {
  const hint = headers["sec-ch-ua-mobile"];
  if (hint === "?1") return true;
  return /Mobi|Android|iPhone|iPad|HarmonyOS|OpenHarmony/i.test(headers["user-agent"] ?? "");
}

/** The language chosen on the page, if it was, and else the browser's; Chinese for all others. */
export function languageFor({ query, headers }: FastifyRequest): { language: Language; chosen: boolean } {
  const lang = once(query as BrowserQuery, "lang");
  if (lang === "zh" || lang === "en") return { language: lang, chosen: true };
  return { language: languageOf(headers["accept-language"], "zh"), chosen: false };
}

/** A visit as the pipeline takes it. */
export function incomingVisit(request: FastifyRequest, reply: FastifyReply): IncomingCall {
  const { traceparent } = request.headers;
  return {
    door: "browser",
    listener: "public",
    requestId: request.id,
    // People have no credential: the link is all that they have been given.
    credential: undefined,
    peer: request.peer,
    traceparent: typeof traceparent === "string" ? traceparent : undefined,
    answerHeader: (name, value) => void reply.header(name, value),
    language: request.headers["accept-language"],
    scope: scopeOf(reply, callerLeft),
  };
}

/** What the vendor's page sends along (protocol.md 6.5 and 9); the signature goes by another name on a computer. */
export const callbackOf = (query: BrowserQuery) => ({
  orderNo: once(query, "orderNo") ?? "",
  code: once(query, "code") ?? "",
  signature: once(query, "newSignature") ?? once(query, "newSign"),
});
