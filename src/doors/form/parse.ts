import { ErrorReason, type FieldViolation, ServiceError } from "../../errors.ts";
import { FACE_PARAMS_FIELDS, RESULT_FIELDS } from "./fields.ts";

/** No route has more than a handful; leaves room for fields added by frameworks and trackers. */
const MAX_FIELDS = 64;

/**
 * Strictly parses an `application/x-www-form-urlencoded` body: the vendor signs and compares the values, so a
 * broken escape must not turn into a different name (`URLSearchParams` never rejects anything). Throws
 * MALFORMED_REQUEST naming the field.
 */
export function parseForm(body: Uint8Array): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const text = decodeUtf8(body, "body");
  if (text === "") return fields;
  for (const pair of text.split("&", MAX_FIELDS + 1)) {
    if (pair === "") continue;
    if (fields.size === MAX_FIELDS) throw malformed("body", "form.too_many");
    const equals = pair.indexOf("=");
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals), "a field's name");
    if (fields.has(name)) throw malformed(printable(name), "form.duplicate");
    fields.set(name, unescape(equals < 0 ? "" : pair.slice(equals + 1), printable(name)));
  }
  return fields;
}

function unescape(escaped: string, field: string): string {
  const spaced = escaped.replaceAll("+", " ");
  if (/%(?![0-9A-Fa-f]{2})/.test(spaced)) throw malformed(field, "form.escape");
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw malformed(field, "form.utf8");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array, field: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed(field, "form.utf8");
  }
}

function malformed(field: string, rule: string): ServiceError {
  return new ServiceError(ErrorReason.MALFORMED_REQUEST, `malformed form: ${field} (${rule})`, {
    violations: [{ field, rule }],
  });
}

/**
 * Violations of a strict form door: fields unknown to the route, and query parameters, since URLs end up in
 * logs. Each once, however often it occurs.
 */
export function strictViolations(
  form: ReadonlyMap<string, string>,
  fields: readonly string[],
  query: Readonly<Record<string, unknown>>,
): FieldViolation[] {
  const distinct = (names: Iterable<string>) => [...new Set(Array.from(names, printable))];
  const unknown = [...form.keys()].filter((name) => !fields.includes(name));
  const queried = Object.keys(query);
  if (unknown.length === 0 && queried.length === 0) return [];
  return [
    ...distinct(unknown).map((field) => ({ field, rule: "form.unknown" })),
    ...distinct(queried).map((field) => ({ field, rule: "form.query" })),
  ];
}

const FIELDS: ReadonlySet<string> = new Set([...FACE_PARAMS_FIELDS, ...RESULT_FIELDS]);

/**
 * A field's name, safe for responses and logs: an unknown one is client text and could be a personal value.
 */
export const printable = (name: string): string => (FIELDS.has(name) ? name : "a field");
