/** The vendor's domains, past and present (protocol.md 0.3); each of its hosts is below one of them. */
const VENDOR_DOMAINS = ["qcloud.com", "tencentcloudapi.com", "webank.com"];

/**
 * Whether what comes from this host is about real people: a host of the vendor's, or one of `liveHosts`, which are gateways
 * to it by the operator's word. All others are not, the sandbox and whatever plays the vendor among them.
 */
export function isLive(baseUrl: string, liveHosts: readonly string[]): boolean {
  const hostname = URL.parse(baseUrl)?.hostname.replace(/\.$/, "") ?? "";
  return VENDOR_DOMAINS.some((domain) => hostname.endsWith(`.${domain}`)) || liveHosts.includes(hostname);
}

/** Whether the WBappid is one for tests, by the look of those that the vendor's pages show (protocol.md 10.2). */
export const isTestApp = (appId: string): boolean => appId.startsWith("TIDA");

/** Host names separated by commas, as URLs write them; undefined for anything else. */
export function parseHosts(text: string): readonly string[] | undefined {
  const hosts = text.split(",").map((host) => host.trim());
  const canonical = hosts.map((host) => {
    const url = URL.parse(`https://${host}/`);
    return url !== null && /^[^/?#@:]+$/.test(host) ? url.hostname : undefined;
  });
  return canonical.every((host) => host !== undefined) ? canonical : undefined;
}
