/** The token of an `Authorization: Bearer` header (RFC 6750 2.1); undefined for any other. */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
