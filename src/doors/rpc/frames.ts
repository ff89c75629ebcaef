import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../errors.ts";
import { ProtocolError } from "./errors.ts";

/** A frame's flags and its length (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export const PREFIX_BYTES = 5;
const COMPRESSED = 1;

export interface FramesOptions {
  /** Most frames that a body may have; a unary call has one. */
  most: number;
  /** Largest message, bytes. */
  mostBytes: number;
  /** Whether an encoding was named, without which nothing can be compressed. */
  encoded: boolean;
}

/** The frames of one body, followed as its chunks come. Keeps none of them. */
export interface Frames {
  /** How many bytes of the chunk belong to frames that are whole now. Throws ProtocolError as soon as a prefix is wrong. */
  see(chunk: Uint8Array): number;
  /** Throws ProtocolError when the body may not end here. */
  end(): void;
}

// The codes are those of gRPC's own servers (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const malformed = (code: Code, message: string) =>
  new ProtocolError(code, ErrorReason.MALFORMED_REQUEST, message);

/**
 * Judges a body of gRPC, gRPC-Web or a Connect stream by the prefixes of its frames, the moment they are there: a megabyte can be
 * 200,000 empty messages, and whoever splits it before counting does that work for nothing.
 */
export function createFrames({ most, mostBytes, encoded }: FramesOptions): Frames {
  const prefix = new Uint8Array(PREFIX_BYTES);
  /** Bytes of the current prefix, and of its message that are still to come. */
  let known = 0;
  let awaited = 0;
  let count = 0;

  function begin(): void {
    const [flags = 0, a = 0, b = 0, c = 0, d = 0] = prefix;
    const length = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
    count += 1;
    if (flags > COMPRESSED) throw malformed(Code.Internal, "reserved flags");
    if (flags === COMPRESSED && !encoded) throw malformed(Code.Internal, "compressed, without an encoding");
    if (count > most) {
      throw most === 1
        ? malformed(Code.Unimplemented, "more than one message")
        : new ProtocolError(Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE, "too many messages");
    }
    if (length > mostBytes) {
      throw new ProtocolError(Code.ResourceExhausted, ErrorReason.PAYLOAD_TOO_LARGE, "too large a message");
    }
    awaited = length;
  }

  return {
    see(chunk) {
      let at = 0;
      let whole = 0;
      while (at < chunk.length) {
        if (known < PREFIX_BYTES) {
          prefix[known++] = chunk[at++] as number;
          if (known < PREFIX_BYTES) continue;
          begin();
        }
        const step = Math.min(awaited, chunk.length - at);
        at += step;
        awaited -= step;
        if (awaited > 0) break;
        known = 0;
        whole = at;
      }
      return whole;
    },
    end() {
      if (known > 0) throw malformed(Code.InvalidArgument, "half a message");
      if (count === 0 && most === 1) throw malformed(Code.Unimplemented, "no message");
    },
  };
}
