export const ENDPOINTS = [
  "access_token",
  "sign_ticket",
  "nonce_ticket",
  "upload",
  "query",
  "sdk_verify",
  "web_login",
  "web_return",
] as const;

/**
 * The called endpoint: one of the vendor's, the played SDK, the start of an H5 or PC H5 page, or the way back from one, on which
 * the browser is sent.
 */
export type Endpoint = (typeof ENDPOINTS)[number];

/** A call as the handlers see it, independent of the HTTP server. */
export interface SandboxRequest {
  /** The number of the call in the sandbox's journal. */
  id: number;
  endpoint: Endpoint;
  /** A repeated parameter is an array. */
  query: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty for GET. */
  body: string;
  /** Content-Type as sent; empty if absent. */
  contentType: string;
  /** The caller: the header `x-sandbox-caller`, else address and port. */
  caller: string;
}

/** The first value of each query parameter. */
export function firstValues(query: SandboxRequest["query"]): Partial<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

/** The body's JSON object; undefined for anything else. */
export function readJsonObject(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(body);
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
