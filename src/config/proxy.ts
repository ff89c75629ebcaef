import type { EnvironmentReader } from "../lib/environment.ts";

/** The way to the vendor. */
export interface ProxyConfig {
  /** With its scheme: http, https or socks5. */
  url: string;
  /** Hosts that are asked directly, as in `NO_PROXY`. */
  noProxy: string;
}

/** As curl reads them: lower case first, and what is for https before what is for everything. */
const NAMES = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;
const RULE = "must be host:port, or the URL of a proxy by http, https or socks5";

/** The proxy for calls by https; a name without scheme is an HTTP proxy, as for curl. */
export function readProxy(read: EnvironmentReader): ProxyConfig | undefined {
  const given = NAMES.filter((name) => read.has(name));
  const noProxies = ["no_proxy", "NO_PROXY"].filter((name) => read.has(name));
  const [name] = given;
  if (name === undefined) return undefined;
  const url = proxyUrl(read.text(name) ?? "");
  // Not quoted: there may be a password in it.
  if (url === undefined) read.problems.push(`${name}: ${RULE}`);
  return url === undefined ? undefined : { url, noProxy: read.text(noProxies[0] ?? "") ?? "" };
}

function proxyUrl(text: string): string | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!url || url.hostname === "" || !isDecodable(url.username + url.password)) return undefined;
  // The proxy resolves the name in either, which is all that the `h` asks for.
  if (url.protocol === "socks5h:") return url.href.replace(/^socks5h/, "socks5");
  return /^(https?|socks5):$/.test(url.protocol) ? url.href : undefined;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
