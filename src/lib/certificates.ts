import { createPrivateKey, X509Certificate } from "node:crypto";

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** PEM texts as the variables TLS_CERT_FILE, TLS_KEY_FILE and TLS_CLIENT_CA_FILE name them. */
export interface TlsFiles {
  cert: string;
  key: string;
  clientCa?: string | undefined;
}

/** When the first certificate of a file ends, milliseconds since the Unix epoch. */
export interface CertificateEnd {
  /** The variable that names the file. */
  file: string;
  notAfter: number;
}

/** Every certificate in a PEM text, in its order; throws for one that cannot be read. */
export const certificatesIn = (pem: string): X509Certificate[] =>
  (pem.match(PEM) ?? []).map((block) => new X509Certificate(block));

/** Why TLS cannot be spoken with these files, a sentence for each reason; none when it can. */
export function tlsProblems({ cert, key, clientCa }: TlsFiles): string[] {
  const chain = readable(cert);
  const problems = [];
  if (chain.length === 0) problems.push("TLS_CERT_FILE: holds no certificate in PEM that can be read");
  if (clientCa !== undefined && readable(clientCa).length === 0)
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

/** When the certificates of files without `tlsProblems` end. */
export function certificateEnds({ cert, clientCa }: TlsFiles): CertificateEnd[] {
  const files = { TLS_CERT_FILE: cert, TLS_CLIENT_CA_FILE: clientCa };
  return Object.entries(files).flatMap(([file, pem]) => {
    const ends = readable(pem ?? "").map(({ validTo }) => Date.parse(validTo));
    return ends.length === 0 ? [] : [{ file, notAfter: Math.min(...ends) }];
  });
}

function readable(pem: string): X509Certificate[] {
  try {
    return certificatesIn(pem);
  } catch {
    return [];
  }
}
