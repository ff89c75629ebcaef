/** The version of the vendor's protocol, in every call and in every signature (protocol.md 1). */
export const PROTOCOL_VERSION = "1.0.0";
