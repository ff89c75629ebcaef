import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/**
 * Whether a browser brought this request here from a page of another site: directly, which `Origin` shows (RFC 6454), or by
 * DNS rebinding, where the page's own name leads to this machine and stands in `Host`. Clients that are no browsers send no
 * `Origin`, and ask by address or by a name of this machine.
 *
 * @param names host names that are right besides addresses and `localhost`, in lower case; or any name, where a rebound one
 * would lead to nothing that its page could not reach by itself.
 */
export function isForeign(headers: IncomingHttpHeaders, names: readonly string[] | "any"): boolean {
  const { origin, host = headers[":authority"] } = headers;
  // Browsers always send it; what speaks HTTP/1.0 may not.
  if (typeof host !== "string") return origin !== undefined;
  const asked = URL.parse(`http://${host}`);
  if (!asked || (origin !== undefined && URL.parse(origin)?.host !== asked.host)) return true;
  const name = asked.hostname.replace(/^\[|\]$/g, "");
  // An address was not looked up, so it cannot have been rebound.
  return names !== "any" && isIP(name) === 0 && !/(^|\.)localhost$/.test(name) && !names.includes(name);
}
