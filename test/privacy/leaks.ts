import { createHash } from "node:crypto";

/** Something that must be found nowhere. */
export interface Canary {
  what: string;
  value: string | Uint8Array;
}

/** A place where things are written down, and all that is written there. */
export type Sinks = Readonly<Record<string, string>>;

export interface Leak {
  sink: string;
  what: string;
  how: string;
}

/** Every way in which a value may show. Text is compared without regard to case. */
export function encodingsOf(value: string | Uint8Array): Record<string, string> {
  const bytes = Buffer.from(value as string);
  const text = bytes.toString("latin1");
  const points = typeof value === "string" ? value : text;
  const escaped = Array.from(
    { length: points.length },
    (_, i) => `\\u${points.charCodeAt(i).toString(16).padStart(4, "0")}`,
  );
  const hashes = (["sha1", "sha256", "md5"] as const).flatMap((name) => {
    const digest = createHash(name).update(bytes).digest();
    return [
      [`${name} hex`, digest.toString("hex")],
      [`${name} base64`, unpadded(digest)],
      [`${name} base64url`, digest.toString("base64url")],
    ] as const;
  });
  return {
    ...(typeof value === "string" && {
      raw: value,
      "URL-escaped": encodeURIComponent(value),
      "form-escaped": encodeURIComponent(value).replaceAll("%20", "+"),
    }),
    "URL-escaped throughout": [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    "JSON-escaped": escaped.join(""),
    hex: bytes.toString("hex"),
    bytes: [...bytes].join(","),
    "bytes, spaced": [...bytes].join(", "),
    // In the middle of something longer, Base64 looks different at each of three positions.
    ...Object.fromEntries(
      [0, 1, 2].flatMap((position) => {
        const inner = base64Within(bytes, position);
        return [
          [`base64 at ${position}`, inner],
          [`base64url at ${position}`, inner.replaceAll("+", "-").replaceAll("/", "_")],
        ];
      }),
    ),
    ...Object.fromEntries(hashes),
  };
}

/** What the bytes become for certain where they stand at this position modulo three. */
function base64Within(bytes: Buffer, position: number): string {
  const padded = Buffer.concat([Buffer.alloc(position), bytes]);
  const from = Math.ceil((position * 8) / 6);
  const to = Math.floor((padded.length * 8) / 6);
  return padded.toString("base64").slice(from, to);
}

const unpadded = (digest: Buffer) => digest.toString("base64").replace(/=+$/, "");

/** Where any of the canaries shows, and how. */
export function findLeaks(sinks: Sinks, canaries: readonly Canary[]): Leak[] {
  const leaks: Leak[] = [];
  for (const [sink, content] of Object.entries(sinks)) {
    const haystack = content.toLowerCase();
    for (const { what, value } of canaries) {
      for (const [how, needle] of Object.entries(encodingsOf(value))) {
        if (haystack.includes(needle.toLowerCase())) leaks.push({ sink, what, how });
      }
    }
  }
  return leaks;
}
