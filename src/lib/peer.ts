import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/** Where a request comes from, as verified by the listener; nothing in it is the client's own claim. */
export interface Peer {
  /** The client's address as reported by a trusted proxy, else the connection's; canonical, without port or zone. */
  address: string;
  /** Whether the connection comes from this machine and not through a trusted proxy on a client's behalf. */
  local: boolean;
  /** The name in the verified client certificate; undefined where the listener requires none. */
  certificateName: string | undefined;
}

/** RFC 6052 2.1: the prefix under which NAT64 presents IPv4 clients to IPv6 servers. */
const TRANSLATED = ipaddr.IPv6.parseCIDR("64:ff9b::/96");
/** A household or site is assigned at least a /64 (RFC 6177), so a /64 counts as one client. */
const NETWORK_BYTES = 8;

/**
 * The canonical form of an IP address: IPv4, also if mapped or translated into IPv6, else IPv6 as in RFC 5952. Accepts the
 * forms that proxies write into `x-forwarded-for`, with port or brackets; undefined for anything else.
 */
export function ipAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIPv4(text)) return text;
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  const bare = (bracketed ?? plain ?? text).replace(/%.*$/, "");
  if (isIP(bare) === 0) return undefined;
  const address = ipaddr.process(bare);
  if (address instanceof ipaddr.IPv6 && address.match(TRANSLATED)) {
    return address.toByteArray().slice(12).join(".");
  }
  return address.toString();
}

/** What rate limits count as one client: an IPv4 address, or the /64 of an IPv6 one. Takes the result of `ipAddress`. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  return ipaddr
    .fromByteArray([...ipaddr.parse(address).toByteArray().slice(0, NETWORK_BYTES), ...ZEROS])
    .toString();
}

const ZEROS = Array.from({ length: NETWORK_BYTES }, () => 0);
