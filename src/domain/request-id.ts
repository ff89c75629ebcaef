import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { ErrorReason, ServiceError } from "../errors.ts";

/** Everything that distinguishes one request from another, but for its `request_id` (AIP-155), as text of one byte a character. */
export function fieldsOf<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc> & { requestId: string },
): string {
  const same = toBinary(schema, { ...request, requestId: "" }, { writeUnknownFields: false });
  return Buffer.from(same.buffer, same.byteOffset, same.length).toString("latin1");
}

/** REQUEST_ID_REUSED, for a request id that came with other fields before. */
export const requestIdReused = (): ServiceError =>
  new ServiceError(ErrorReason.REQUEST_ID_REUSED, "the request id came with other parameters");
