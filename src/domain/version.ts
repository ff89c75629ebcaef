/** The vendor's protocol version, part of every call and signature (protocol.md 1). */
export const PROTOCOL_VERSION = "1.0.0";

/** The version of this service, as in package.json. */
export const SERVICE_VERSION = "0.1.0";
