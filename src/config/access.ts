import { tlsProblems } from "../lib/certificates.ts";
import { type Address, type EnvironmentReader, isLoopback } from "../lib/environment.ts";
import type { Secret } from "../lib/redacted.ts";

type Tokens = readonly { caller: string; token: Secret }[];

/** Who may call, and how callers are authenticated. */
export interface AccessConfig {
  httpTokens: Tokens;
  grpcTokens: Tokens;
  /** Report-only mode: admits, on the public listener, callers that would be refused. */
  httpAuthObserved: boolean;
  jwt: { jwksUrl: string; issuer: string; audience: string } | undefined;
  /** Whether end users get photo and video of their own orders. */
  endUserMedia: boolean;
  formKeys: Tokens;
  formStrict: "off" | "observe" | "enforce";
  tls: { cert: string; key: string; clientCa: string | undefined } | undefined;
  /** Origins whose pages may call the public listener; an empty list allows only its own. */
  corsOrigins: readonly string[];
  /** Addresses and networks of proxies whose `x-forwarded-for` is trusted. */
  trustedProxies: readonly string[];
}

export function readAccess(read: EnvironmentReader): AccessConfig {
  return {
    httpTokens: read.bearerTokens("HTTP_AUTH_TOKENS"),
    grpcTokens: read.bearerTokens("GRPC_AUTH_TOKENS"),
    httpAuthObserved: read.choice("HTTP_AUTH", ["enforce", "observe"]) === "observe",
    jwt: readJwt(read),
    endUserMedia: read.choice("END_USER_MEDIA", ["off", "own"]) === "own",
    formKeys: read.bearerTokens("FORM_HMAC_KEYS"),
    formStrict: read.choice("FORM_STRICT", ["observe", "off", "enforce"]),
    tls: readTls(read),
    corsOrigins: read.origins("CORS_ORIGINS"),
    trustedProxies: read.networks("TRUSTED_PROXIES"),
  };
}

function readJwt(read: EnvironmentReader): AccessConfig["jwt"] {
  const jwksUrl = read.baseUrl("JWT_JWKS_URL", "");
  const [issuer = "", audience = ""] = [read.text("JWT_ISSUER"), read.text("JWT_AUDIENCE")];
  const set = ["JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"].filter((name) => read.has(name));
  if (set.length === 0) return undefined;
  if (set.length < 3) read.problems.push("JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE: give all three or none");
  return { jwksUrl, issuer, audience };
}

function readTls(read: EnvironmentReader): AccessConfig["tls"] {
  const [cert, key] = [read.file("TLS_CERT_FILE"), read.file("TLS_KEY_FILE")];
  const clientCa = read.file("TLS_CLIENT_CA_FILE");
  if (read.has("TLS_CERT_FILE") !== read.has("TLS_KEY_FILE")) {
    read.problems.push("TLS_CERT_FILE, TLS_KEY_FILE: give both or none");
  }
  if (read.has("TLS_CLIENT_CA_FILE") && !read.has("TLS_CERT_FILE")) {
    read.problems.push("TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE and TLS_KEY_FILE");
  }
  if (cert === undefined || key === undefined) return undefined;
  read.problems.push(...tlsProblems({ cert, key, clientCa }));
  return { cert, key, clientCa };
}

/** Problems: URLs that would send secrets or keys over a network in cleartext, except those in `allowed`. */
export function clearText(
  urls: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
): string[] {
  const exposed = Object.entries(urls).filter(([name, url]) => {
    const { protocol, hostname } = URL.parse(url ?? "") ?? {};
    return protocol === "http:" && !isLoopback(hostname ?? "") && !allowed.includes(name);
  });
  return exposed.map(([name]) => `${name}: must be https beyond this machine; or set ALLOW_INSECURE=${name}`);
}

/**
 * Problems: listeners reachable from other machines that require no credential, except those in `allowed`.
 */
export function openDoors(
  { http, grpc, admin, serves }: { http: Address; grpc: Address; admin: Address; serves: boolean },
  { httpTokens, grpcTokens, jwt, formKeys, httpAuthObserved, tls }: AccessConfig,
  allowed: readonly string[],
): string[] {
  const authenticated = httpTokens.length > 0 || jwt !== undefined || formKeys.length > 0;
  const doors = [
    {
      name: "HTTP_ADDR",
      address: http,
      open: serves && (!authenticated || httpAuthObserved),
      cure: "set HTTP_AUTH_TOKENS, JWT_JWKS_URL or FORM_HMAC_KEYS, without HTTP_AUTH=observe",
    },
    {
      name: "GRPC_ADDR",
      address: grpc,
      open: serves && grpcTokens.length === 0 && tls?.clientCa === undefined,
      cure: "set GRPC_AUTH_TOKENS or TLS_CLIENT_CA_FILE",
    },
    { name: "ADMIN_ADDR", address: admin, open: true, cure: "bind it to loopback" },
  ];
  return doors
    .filter(({ name, address, open }) => open && !isLoopback(address.host) && !allowed.includes(name))
    .map(
      ({ name, address, cure }) =>
        `${name}: ${address.host} is reachable from outside and admits everybody; ${cure}, or set ALLOW_INSECURE=${name}`,
    );
}
