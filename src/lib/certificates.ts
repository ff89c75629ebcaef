import { createPrivateKey, X509Certificate } from "node:crypto";

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The PEM contents of TLS_CERT_FILE, TLS_KEY_FILE and TLS_CLIENT_CA_FILE. */
export interface TlsFiles {
  cert: string;
  key: string;
  clientCa?: string | undefined;
}

/** The earliest expiry among a file's certificates. */
export interface CertificateEnd {
  /** The variable that names the file. */
  file: string;
  /** Milliseconds since the Unix epoch. */
  notAfter: number;
}

/** The certificates in a PEM text, in order; throws for one that cannot be parsed. */
export const certificatesIn = (pem: string): X509Certificate[] =>
  (pem.match(PEM) ?? []).map((block) => new X509Certificate(block));

/** Why these files cannot serve TLS, one sentence per problem; empty if they can. */
export function tlsProblems({ cert, key, clientCa }: TlsFiles): string[] {
  const chain = certificatesOrNone(cert);
  const problems = [];
  if (chain.length === 0) problems.push("TLS_CERT_FILE: holds no certificate in PEM that can be read");
  if (clientCa !== undefined && certificatesOrNone(clientCa).length === 0)
    problems.push("TLS_CLIENT_CA_FILE: holds no certificate in PEM that can be read");
  try {
    const privateKey = createPrivateKey(key);
    if (chain[0] && !chain[0].checkPrivateKey(privateKey))
      problems.push("TLS_KEY_FILE: is not the key of the first certificate in TLS_CERT_FILE");
  } catch {
    problems.push("TLS_KEY_FILE: holds no private key in PEM that can be read without a password");
  }
  return problems;
}

/** Expiry of the certificates in files that have no `tlsProblems`. */
export function certificateEnds({ cert, clientCa }: TlsFiles): CertificateEnd[] {
  const files = { TLS_CERT_FILE: cert, TLS_CLIENT_CA_FILE: clientCa };
  return Object.entries(files).flatMap(([file, pem]) => {
    const ends = certificatesOrNone(pem ?? "").map(({ validTo }) => Date.parse(validTo));
    return ends.length === 0 ? [] : [{ file, notAfter: Math.min(...ends) }];
  });
}

function certificatesOrNone(pem: string): X509Certificate[] {
  try {
    return certificatesIn(pem);
  } catch {
    return [];
  }
}
