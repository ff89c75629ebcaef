/** A repeatable source of bytes and choices. */
export interface Random {
  /** A whole number below `n`. */
  below(n: number): number;
  bytes(length: number): Buffer;
  pick<T>(list: readonly T[]): T;
}

export function createRandom(next: () => number): Random {
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick: (list) => {
      const item = list[below(list.length)];
      if (item === undefined) throw new RangeError("nothing to pick from");
      return item;
    },
  };
}

/** What trips up parsers: numbers at the edges, broken UTF-8, escapes, control characters, other scripts. */
const NASTY = [
  "",
  "\0",
  "%",
  "%zz",
  "%00",
  "\ud800",
  "\r\n\r\n",
  "\u202e",
  "張三",
  "𠮷",
  "{}",
  "[]",
  "null",
  "-1",
  "1e999",
  "18446744073709551616",
  '"',
  "\\u0000",
  "&name=&name=",
  "=".repeat(300),
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "${jndi:ldap://x}",
  "<script>",
  "'; DROP TABLE orders; --",
].map((text) => Buffer.from(text, text === "\ud800" ? "utf16le" : "utf8"));
const BROKEN_UTF8 = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe4, 0xbd]].map(
  (bytes) => Buffer.from(bytes),
);

/** The input with a few changes: bits, bytes, pieces taken out, doubled, cut off, or nasty ones put in. */
export function mutate(random: Random, input: Buffer): Buffer {
  let bytes = input;
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = change(random, bytes);
  return bytes;
}

function change(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(64, bytes.length - at + 1));
  const put = (piece: Buffer, instead = 0) =>
    Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + instead)]);
  switch (random.below(7)) {
    case 0: {
      if (at === bytes.length) return put(random.bytes(1));
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return put(random.bytes(1 + random.below(8)), length);
    case 2:
      return put(Buffer.alloc(0), length);
    case 3:
      return put(bytes.subarray(at, at + length));
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return put(random.pick(BROKEN_UTF8));
    default:
      return put(random.pick(NASTY), length);
  }
}
