import { crc32, deflateSync } from "node:zlib";

/** A real PNG, 32 by 32 grey pixels: what the vendor would keep as the best frame. */
export const PHOTO_BASE64 = png(32).toString("base64");

/** The frame of an MP4: the boxes `ftyp`, `free` and `mdat`, with nothing to play. */
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
