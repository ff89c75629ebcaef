import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/**
 * Whether a browser sent this request for a page of another site: directly, which `Origin` shows (RFC 6454), or by DNS
 * rebinding, where the page's own host name resolves to this machine and appears in `Host`. Other clients send no `Origin`
 * and connect by address or by a name of this machine.
 *
 * @param names host names accepted besides addresses and `localhost`, in lower case; `any` where a rebound name gives a page
 * access to nothing that it could not reach anyway.
 */
export function isForeign(headers: IncomingHttpHeaders, names: readonly string[] | "any"): boolean {
  const { origin, host = headers[":authority"] } = headers;
  // Browsers always send it; HTTP/1.0 clients may not.
  if (typeof host !== "string") return origin !== undefined;
  const target = URL.parse(`http://${host}`);
  if (!target || (origin !== undefined && URL.parse(origin)?.host !== target.host)) return true;
  const name = target.hostname.replace(/^\[|\]$/g, "");
  // An address needs no DNS lookup, so it cannot have been rebound.
  return names !== "any" && isIP(name) === 0 && !/(^|\.)localhost$/.test(name) && !names.includes(name);
}
