import type { IncomingMessage } from "node:http";

/** What no authority has, though parts of a URL do (RFC 3986 3.2.2). */
const FOREIGN = /[\s/\\?#@<>"^`{|}]/;

/** Whom a request of HTTP/1.0 is for. */
const NOBODY = "localhost";

/** The last one that was good: most clients of a listener call it by one name. */
let good = "";

/**
 * Whether a request says once, and so that a URL can be made of it, whom it is for: `Host` of HTTP/1.1 (RFC 9112 3.2),
 * `:authority` or `host` of HTTP/2, which may not differ (RFC 9113 8.3.1). HTTP/1.0 need not say it, and gets a name.
 */
export function hasAuthority(request: IncomingMessage): boolean {
  const { headers, rawHeaders, httpVersion } = request;
  const pseudo = headers[":authority"];
  const named = typeof pseudo === "string" ? pseudo : headers.host;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  if (hosts > 1) return false;
  if (named === undefined && httpVersion === "1.0") headers.host = NOBODY;
  if (named === undefined) return httpVersion === "1.0";
  if (hosts === 1 && headers.host !== named) return false;
  if (named === good) return true;
  if (named === "" || named.length > 300 || FOREIGN.test(named) || !URL.canParse(`http://${named}/`))
    return false;
  good = named;
  return true;
}
