import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/** Where a request comes from, as the listener has verified it; nothing of it is the client's own word. */
export interface Peer {
  /** The client's address as a trusted proxy reports it, else that of the connection; canonical, without port or zone. */
  address: string;
  /** Whether the connection comes from this machine and no trusted proxy says on whose behalf. */
  local: boolean;
  /** The name in the client certificate that the listener has checked; undefined where it asks for none. */
  certificateName: string | undefined;
}

/** RFC 6052 2.1: the prefix under which translators show IPv4 clients to IPv6 servers. */
const TRANSLATED = ipaddr.IPv6.parseCIDR("64:ff9b::/96");
/** What a site or a household gets is a /64 (RFC 6177), so it is counted as one. */
const NETWORK_BYTES = 8;

/**
 * One spelling for each IP address: an IPv4 address however it is wrapped, else IPv6 as RFC 5952 writes it. Takes the forms
 * that proxies write into `x-forwarded-for`, with port or brackets; undefined for what is no address.
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

/** What counts as one neighbour in limits: an IPv4 address, or the /64 of an IPv6 one. Takes what `ipAddress` returns. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  return ipaddr
    .fromByteArray([...ipaddr.parse(address).toByteArray().slice(0, NETWORK_BYTES), ...ZEROS])
    .toString();
}

const ZEROS = Array.from({ length: NETWORK_BYTES }, () => 0);
