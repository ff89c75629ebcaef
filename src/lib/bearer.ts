/**
 * The token of an `Authorization: Bearer` header (RFC 6750 2.1); "" for a header that holds none, which is a credential
 * all the same, and undefined without a header.
 */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : (/^bearer +(\S+)$/i.exec(authorization)?.[1] ?? "");
