import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ErrorReason, ServiceError } from "../../errors.ts";

/** A message below this is read whatever is in it, bytes. */
const SMALL = 16 * 1024;
/** Most fields of a larger one; the largest of the contract has seven. */
const MOST_FIELDS = 1_000;
/** What each value of JSON comes with one of. */
const SIGNS = ["[", "{", ",", '"'];

const crowded = () => new ServiceError(ErrorReason.MALFORMED_REQUEST, "too many fields");

/**
 * Throws ServiceError for a large message that consists of small change: parsing half a million fields that mean nothing
 * takes ten times as long as receiving them. Large requests are large because of one photo.
 */
export function assertSparse(format: "binary" | "json", body: Buffer): void {
  if (body.length < SMALL) return;
  if (format === "json") SIGNS.forEach((sign) => assertFew(body, sign));
  else assertFewFields(body);
}

function assertFew(body: Buffer, sign: string): void {
  let count = 0;
  for (let at = body.indexOf(sign); at >= 0; at = body.indexOf(sign, at + 1)) {
    if (++count > MOST_FIELDS) throw crowded();
  }
}

/** Throws also for what cannot be read. */
function assertFewFields(body: Buffer): void {
  const reader = new BinaryReader(body);
  for (let count = 0; reader.pos < reader.len; count++) {
    const [number, type] = reader.tag();
    // No version of the contract has groups, and one can hold as much as a message.
    if (count > MOST_FIELDS || type === WireType.StartGroup) throw crowded();
    reader.skip(type, number);
  }
}
