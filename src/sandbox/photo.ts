import type { Finding } from "./breaches.ts";

const MOST_BYTES = 500 * 1024;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The merchant's own photo (protocol.md 4.2); an empty one counts as absent. */
export function photoFindings(photo: string, type: string | undefined): Finding[] {
  if (photo === "") return [["photo_type_without_photo", type !== undefined]];
  const isBase64 = BASE64.test(photo);
  return [
    ["photo_type_wrong", type !== "1" && type !== "2"],
    ["photo_too_large", Math.floor((photo.length * 3) / 4) - padding(photo) > MOST_BYTES],
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
