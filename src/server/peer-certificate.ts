import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { PeerCertificate, TLSSocket } from "node:tls";

/** Cached per socket: a certificate applies to the whole connection, and reading it is slow. */
const names = new WeakMap<Socket, string>();

/**
 * The name in the client certificate of a request: its first URI (SPIFFE) or DNS name, else its common name,
 * or `certificate` if that is not safe to log. Undefined without a certificate. The listener must have
 * verified it.
 */
export function certificateNameOf({ socket }: Pick<IncomingMessage, "socket">): string | undefined {
  const known = names.get(socket);
  if (known !== undefined) return known;
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  if (!certificate || Object.keys(certificate).length === 0) return undefined;
  const name = nameIn(certificate);
  names.set(socket, name);
  return name;
}

function nameIn({ subject, subjectaltname = "" }: PeerCertificate): string {
  const [, alternative] = /(?:^|, )(?:URI|DNS):([^,]+)/.exec(subjectaltname) ?? [];
  const name = alternative ?? String(subject?.CN ?? "");
  return /^[0-9A-Za-z._:/@-]{1,128}$/.test(name) ? name : "certificate";
}
