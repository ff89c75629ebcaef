import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ErrorReason, ServiceError } from "../../errors.ts";

/** Max request size, bytes: a 500 KiB photo in Base64, and the other fields. Connect's default is 4 GiB. */
export const READ_MAX_BYTES = 1024 * 1024;

/** In JSON, `livemode: false` and `billed: false` are facts, not defaults to omit. */
export const JSON_OPTIONS = { alwaysEmitImplicit: true };

/** Unknown fields are skipped rather than kept: half a million of them fit into a request. */
export const BINARY_OPTIONS = { readUnknownFields: false };

/** Messages smaller than this are always parsed, bytes. */
const SMALL = 16 * 1024;
/** Max fields in a larger message; the contract's largest message has seven. */
const MAX_FIELDS = 1_000;
/** Every value in JSON comes with one of these. */
const DELIMITERS = ["[", "{", ",", '"'];

const crowded = () => new ServiceError(ErrorReason.MALFORMED_REQUEST, "too many fields");

/**
 * Throws ServiceError for a large message made of many small fields: parsing half a million meaningless
 * fields takes ten times as long as receiving them. Legitimate requests are large because of one photo.
 */
export function assertSparse(format: "binary" | "json", body: Buffer): void {
  if (body.length < SMALL) return;
  if (format === "json") DELIMITERS.forEach((delimiter) => assertFew(body, delimiter));
  else assertFewFields(body);
}

function assertFew(body: Buffer, delimiter: string): void {
  let count = 0;
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (++count > MAX_FIELDS) throw crowded();
  }
}

/** Also throws if the message is unreadable. */
function assertFewFields(body: Buffer): void {
  const reader = new BinaryReader(body);
  for (let count = 0; reader.pos < reader.len; count++) {
    const [number, type] = reader.tag();
    // No version of the contract has groups, and a group can contain as much as a message.
    if (count > MAX_FIELDS || type === WireType.StartGroup) throw crowded();
    reader.skip(type, number);
  }
}
