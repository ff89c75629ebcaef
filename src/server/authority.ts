import type { IncomingMessage } from "node:http";

/** Characters that never appear in an authority, though other parts of a URL have them (RFC 3986 3.2.2). */
const NOT_IN_AUTHORITY = /[\s/\\?#@<>"^`{|}]/;

/** The authority of an HTTP/1.0 request that names none. */
const DEFAULT_HOST = "localhost";

/** The last valid authority, cached: most clients of a listener use one name for it. */
let lastValid = "";

/**
 * Whether a request has exactly one authority and it fits into a URL: `Host` in HTTP/1.1 (RFC 9112 3.2),
 * `:authority` or `host` in HTTP/2, which must not differ (RFC 9113 8.3.1). HTTP/1.0 may omit it and gets a
 * default.
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
  if (named === undefined && httpVersion === "1.0") headers.host = DEFAULT_HOST;
  if (named === undefined) return httpVersion === "1.0";
  if (hosts === 1 && headers.host !== named) return false;
  if (named === lastValid) return true;
  if (named === "" || named.length > 300 || NOT_IN_AUTHORITY.test(named) || !URL.canParse(`http://${named}/`))
    return false;
  lastValid = named;
  return true;
}
