import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Pii } from "../../src/lib/redacted.ts";
import {
  createBody,
  createBodyWithFiles,
  MAX_TEXT_BYTES,
  NO_FILE,
} from "../../src/upstream/streamed-json.ts";

/** The answer in chunks of `size` bytes. */
function chunks(document: string, size: number): Buffer[] {
  const bytes = Buffer.from(document);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
}

/** What a body makes of the chunks; each file as the bytes that it has. */
function read(create: typeof createBody, pieces: readonly Buffer[]): unknown {
  const body = create();
  for (const piece of pieces) body.add(piece);
  try {
    return filesIn(body.json());
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return "no JSON";
  }
}

/** With each long text, and each file, as the bytes of it. */
function filesIn(value: unknown): unknown {
  if (value instanceof Pii) return { bytes: Buffer.from(value.reveal() as Uint8Array).toString("hex") };
  if (typeof value === "string" && Buffer.byteLength(JSON.stringify(value)) - 2 > MAX_TEXT_BYTES) {
    const bare = value.replace(/^data:[^,]*;base64,/, "").replaceAll(/[\s]/g, "");
    if (!/^[A-Za-z0-9+/_-]*(={0,2})$/.test(bare)) return NO_FILE;
    return { bytes: Buffer.from(bare, "base64").toString("hex") };
  }
  if (Array.isArray(value)) return value.map(filesIn);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filesIn(inner)]));
}

const photo = Buffer.from(Array.from({ length: 10_001 }, (_, at) => (at * 7919) >> 3)).toString("base64");
const lines = photo.replaceAll(/.{76}/g, "$&\r\n");
const html = photo.replaceAll("=", "\\u003d");
const answer = (video: string) =>
  `{"code":"0","result":{"orderNo":"o","photo":"${photo}","video":"${video}"}}`;

const SHAPES: Record<string, string> = {
  "as the vendor sends it": answer(photo),
  "with a code that is a number": `{"code": 0, "result": {"video": "${photo}"}}`,
  "without files": '{"code":"0","bizSeqNo":"261","result":{"orderNo":"o","photo":"","video":null}}',
  "with files beside the result": `{"photo":"${photo}","code":"66660004"}`,
  "with unknown fields, escapes and other alphabets": `{"x":["a\\"b\\\\",{"名字":"张三\\u4e2d"}],"v":"${photo}"}`,
  "a file without padding": answer(photo.replaceAll("=", "")),
  "a file in the alphabet for URLs": answer(photo.replaceAll("+", "-").replaceAll("/", "_")),
  "a file with padding and more behind it": answer(`${photo}${photo}`),
  "a file as a data URL": answer(`data:image/jpeg;base64,${photo}`),
  "a file as a data URL with parameters and escaped slashes": answer(
    `data:image\\/png;charset=utf-8;base64,${photo.replaceAll("/", "\\/")}`,
  ),
  "a long URL in place of a file": answer(`https://example.com/${"a".repeat(MAX_TEXT_BYTES)}`),
  "a file with escaped slashes": answer(photo.replaceAll("/", "\\/")),
  "a file with escaped padding": answer(html),
  "a file in lines": answer(JSON.stringify(lines).slice(1, -1)),
  "a long text that is no Base64": answer('不是 \\\\\\"'.repeat(500)),
  "the same field twice": `{"video":"${photo}","video":"AQI="}`,
  "a list of files": `["${photo}","${photo}","AQI="]`,
  "nothing but a file": `"${photo}"`,
  nothing: "",
  "a text without an end": answer(photo).slice(0, -3),
  "something behind its end": `${answer(photo)} "`,
  "half of it": answer(photo).slice(0, 9_000),
  "a line break within a file": answer(`${photo}\n`),
  "an escape that there is none": answer(`${photo}\\x`),
  "an HTML page": "<html>502</html>",
};

describe("an answer with files", () => {
  test.each(Object.entries(SHAPES))(
    "a streamed response is read as JSON.parse and Buffer.from read it: %s",
    (_shape, document) => {
      const expected = read(createBody, [Buffer.from(document)]);
      for (const size of [1, 7, 4_096, 65_536]) {
        expect(read(createBodyWithFiles, chunks(document, size))).toEqual(expected);
      }
    },
  );

  test("any JSON in any chunks is read as JSON.parse and Buffer.from read it", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.base64String({ minLength: MAX_TEXT_BYTES + 4, maxLength: MAX_TEXT_BYTES + 400 }),
      fc.string({ minLength: MAX_TEXT_BYTES + 1, maxLength: MAX_TEXT_BYTES + 100 }),
    );
    const json = fc.dictionary(fc.string({ maxLength: 9 }), fc.oneof(text, fc.jsonValue({ maxDepth: 2 })), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 9_000 }), (value, size) => {
        const document = JSON.stringify(value);
        expect(read(createBodyWithFiles, chunks(document, size))).toEqual(
          read(createBody, [Buffer.from(document)]),
        );
      }),
      { numRuns: 200 },
    );
  });

  test("files in a response are masked", () => {
    const body = createBodyWithFiles();
    body.add(Buffer.from(answer(photo)));
    const json = body.json();
    expect(JSON.stringify(json)).not.toContain(photo.slice(0, 100));
    expect(json).toMatchObject({ result: { photo: expect.any(Pii), video: expect.any(Pii) } });
  });

  test("a response with files has the same size limit for the rest as one without", () => {
    expect(
      read(createBodyWithFiles, [Buffer.from(JSON.stringify("a".repeat(4_000).split("")))]),
    ).toHaveLength(4_000);
    expect(read(createBodyWithFiles, [Buffer.from(JSON.stringify(Array(100_000).fill("a")))])).toBe(
      "no JSON",
    );
  });
});
