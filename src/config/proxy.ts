import type { EnvironmentReader } from "../lib/environment.ts";

/** The forward proxy for calls to the vendor. */
export interface ProxyConfig {
  /** With its scheme: http, https or socks5. */
  url: string;
  /** Hosts that bypass the proxy, as in `NO_PROXY`. */
  noProxy: string;
}

/** In curl's order: lower case first, and https-specific before general. */
const NAMES = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;
const RULE = "must be host:port, or the URL of a proxy by http, https or socks5";

/** The proxy for https calls; a value without a scheme is an HTTP proxy, as in curl. */
export function readProxy(read: EnvironmentReader): ProxyConfig | undefined {
  const names = NAMES.filter((name) => read.has(name));
  const noProxies = ["no_proxy", "NO_PROXY"].filter((name) => read.has(name));
  const [name] = names;
  if (name === undefined) return undefined;
  const url = proxyUrl(read.text(name) ?? "");
  // The value is not quoted: it may contain a password.
  if (url === undefined) read.problems.push(`${name}: ${RULE}`);
  return url === undefined ? undefined : { url, noProxy: read.text(noProxies[0] ?? "") ?? "" };
}

function proxyUrl(text: string): string | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!url || url.hostname === "" || !isDecodable(url.username + url.password)) return undefined;
  // We let the proxy resolve names in both cases, which is all the `h` means.
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
