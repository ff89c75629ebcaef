/** Max request size, bytes: a 500 KiB photo in Base64, and the other fields. Connect's default is 4 GiB. */
export const READ_MAX_BYTES = 1024 * 1024;

/** In JSON, `livemode: false` and `billed: false` are facts, not defaults to omit. */
export const JSON_OPTIONS = { alwaysEmitImplicit: true };

/** Unknown fields are skipped rather than kept: half a million of them fit into a request. */
export const BINARY_OPTIONS = { readUnknownFields: false };
