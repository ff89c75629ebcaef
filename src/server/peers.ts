import { BlockList, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";
import { isLoopback } from "../lib/environment.ts";
import { ipAddress, type Peer } from "../lib/peer.ts";
import { certificateNameOf } from "./peer-certificate.ts";

/** Determines where requests come from, behind proxies of which some are trusted. */
export interface Peers {
  /** Fastify's `trustProxy`: whether the client address reported by this proxy is trusted. */
  trusted: false | ((address: string) => boolean);
  of(request: FastifyRequest): Peer;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set by the listener before anything else sees the request. */
    peer: Peer;
  }
}

/**
 * @param proxies addresses and networks whose `x-forwarded-for` is trusted. An entry that is not an address
 * ends the chain, and the last proxy that reported one counts as the client.
 * @param requiresCertificates whether the listener verifies client certificates.
 */
export function createPeers(proxies: readonly string[], requiresCertificates: boolean): Peers {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [network = "", bits] = proxy.split("/");
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    list.addSubnet(network, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  const isTrusted = (text: string) => {
    const address = ipAddress(text);
    return address !== undefined && list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  };

  return {
    trusted: proxies.length > 0 && isTrusted,
    of(request) {
      const certificateName = requiresCertificates ? certificateNameOf(request.raw) : undefined;
      const direct = ipAddress(request.socket.remoteAddress) ?? "";
      const forwarded =
        proxies.length > 0 && request.headers["x-forwarded-for"] !== undefined && isTrusted(direct);
      if (!forwarded) return { address: direct, local: isLoopback(direct), certificateName };
      const chain = request.ips ?? [];
      // Ordered from the nearest hop; the last entry is the first untrusted one.
      const address = chain.map(ipAddress).findLast((each) => each !== undefined) ?? direct;
      return { address, local: false, certificateName };
    },
  };
}
