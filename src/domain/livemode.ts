/** The vendor's domains, past and present (protocol.md 0.3); each of its hosts is a subdomain of one. */
const VENDOR_DOMAINS = ["qcloud.com", "tencentcloudapi.com", "webank.com"];

/**
 * Whether this host's results are about real people: true for the vendor's hosts and for `liveHosts`, which the operator
 * declares to be gateways to it; false for all others, such as the sandbox or another stand-in for the vendor.
 */
export function isLive(baseUrl: string, liveHosts: readonly string[]): boolean {
  const hostname = URL.parse(baseUrl)?.hostname.replace(/\.$/, "") ?? "";
  return VENDOR_DOMAINS.some((domain) => hostname.endsWith(`.${domain}`)) || liveHosts.includes(hostname);
}

/** Whether the WBappid is a test id, judging by the examples in the vendor's pages (protocol.md 10.2). */
export const isTestApp = (appId: string): boolean => appId.startsWith("TIDA");

/** Comma-separated host names in the canonical form of URLs; undefined if invalid. */
export function parseHosts(text: string): readonly string[] | undefined {
  const hosts = text.split(",").map((host) => host.trim());
  const canonical = hosts.map((host) => {
    const url = URL.parse(`https://${host}/`);
    return url !== null && /^[^/?#@:]+$/.test(host) ? url.hostname : undefined;
  });
  return canonical.every((host) => host !== undefined) ? canonical : undefined;
}
