import { crc32, deflateSync } from "node:zlib";
import type { BreachFinding } from "./breaches.ts";

/** A real PNG, 32 by 32 grey pixels, in place of the vendor's best frame. */
export const PHOTO_BASE64 = png(32).toString("base64");

/** An MP4 container without playable content: the boxes `ftyp`, `free` and `mdat`. */
export const VIDEO_BASE64 = Buffer.concat([
  box("ftyp", Buffer.from("isom\0\0\x02\0isomiso2mp41", "latin1")),
  box("free", Buffer.from("sandbox", "latin1")),
  box("mdat", Buffer.alloc(2048, 0x5a)),
]).toString("base64");

function box(type: string, content: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(8 + content.length);
  return Buffer.concat([size, Buffer.from(type, "latin1"), content]);
}

function png(side: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8; // bits per pixel, and colour type 0: grey
  const rows = Buffer.concat(
    Array.from({ length: side }, (_, y) =>
      Buffer.from([0, ...Array.from({ length: side }, (_, x) => x * y)]),
    ),
  );
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(content.length);
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, check]);
}

const MAX_PHOTO_BYTES = 500 * 1024;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Findings on the merchant's own photo (protocol.md 4.2); an empty one counts as absent. */
export function photoFindings(photo: string, type: string | undefined): BreachFinding[] {
  if (photo === "") return [["photo_type_without_photo", type !== undefined]];
  const isBase64 = BASE64.test(photo);
  return [
    ["photo_type_wrong", type !== "1" && type !== "2"],
    ["photo_too_large", Math.floor((photo.length * 3) / 4) - padding(photo) > MAX_PHOTO_BYTES],
    ["photo_encoding_wrong", !isBase64],
    ["photo_format_wrong", isBase64 && !isImage(Buffer.from(photo.slice(0, 16), "base64"))],
  ];
}

function padding(photo: string): number {
  return photo.endsWith("==") ? 2 : photo.endsWith("=") ? 1 : 0;
}

function isImage(head: Buffer): boolean {
  const starts = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
  return starts(0xff, 0xd8, 0xff) || starts(0x89, 0x50, 0x4e, 0x47) || starts(0x42, 0x4d);
}
