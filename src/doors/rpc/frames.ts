import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../errors.ts";
import type { Frames } from "../body.ts";
import { ProtocolError } from "./errors.ts";

/**
 * Size of a frame's prefix: flags and length
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 */
export const PREFIX_BYTES = 5;
const COMPRESSED = 1;

export interface FramesOptions {
  /** Max frames in a body; a unary call has one. */
  maxFrames: number;
  /** Max message size, bytes. */
  maxBytes: number;
  /** Whether the headers name an encoding; otherwise no frame may be compressed. */
  encoded: boolean;
}

// The codes are those of gRPC's own servers (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const malformed = (code: Code, message: string) =>
  new ProtocolError(code, ErrorReason.MALFORMED_REQUEST, message);

/**
 * Checks the body of a gRPC, gRPC-Web or Connect stream request by its frame prefixes as soon as they arrive:
 * a megabyte can be 200,000 empty messages, and splitting it before counting them would be wasted work.
 */
export function createFrames({ maxFrames, maxBytes, encoded }: FramesOptions): Frames {
  const prefix = new Uint8Array(PREFIX_BYTES);
  /** Bytes of the current prefix received, and bytes of its message still missing. */
  let received = 0;
  let missing = 0;
  let count = 0;

  function begin(): void {
    const [flags = 0, a = 0, b = 0, c = 0, d = 0] = prefix;
    const length = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
    count += 1;
    if (flags > COMPRESSED) throw malformed(Code.Internal, "reserved flags");
    if (flags === COMPRESSED && !encoded) throw malformed(Code.Internal, "compressed, without an encoding");
    if (count > maxFrames) {
      throw maxFrames === 1
        ? malformed(Code.Unimplemented, "more than one message")
        : new ProtocolError(Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE, "too many messages");
    }
    if (length > maxBytes) {
      throw new ProtocolError(Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE, "too large a message");
    }
    missing = length;
  }

  return {
    push(chunk) {
      let at = 0;
      let whole = 0;
      while (at < chunk.length) {
        if (received < PREFIX_BYTES) {
          prefix[received++] = chunk[at++] as number;
          if (received < PREFIX_BYTES) continue;
          begin();
        }
        const step = Math.min(missing, chunk.length - at);
        at += step;
        missing -= step;
        if (missing > 0) break;
        received = 0;
        whole = at;
      }
      return whole;
    },
    end() {
      if (received > 0) throw malformed(Code.InvalidArgument, "half a message");
      if (count === 0 && maxFrames === 1) throw malformed(Code.Unimplemented, "no message");
    },
  };
}
