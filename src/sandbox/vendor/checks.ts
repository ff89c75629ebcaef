import type { BreachFinding } from "./breaches.ts";
import { firstValues, readJsonObject, type SandboxRequest } from "./request.ts";
import type { State } from "./state.ts";

/** Text fields by name; undefined if absent or not text. */
export type Fields = Readonly<Partial<Record<string, string>>>;

/**
 * Duplicate and unknown query parameters. Unknown ones are shown only if they look like a name, not a value.
 */
export function queryFindings({ query }: SandboxRequest, known: readonly string[]): BreachFinding[] {
  return [
    ["duplicate_parameter", Object.values(query).some((value) => Array.isArray(value))],
    ...unknownFindings(Object.keys(query), known),
  ];
}

function unknownFindings(names: readonly string[], known: readonly string[]): BreachFinding[] {
  return names
    .filter((name) => !known.includes(name))
    .map((name) => ["unknown_parameter", true, /^[A-Za-z_]{1,24}$/.test(name) ? name : "unprintable"]);
}

/** `app_id` or `appId`, not both (protocol.md 0.3), and `version`. */
export function appFindings(fields: Fields, state: State): BreachFinding[] {
  const { app_id, appId, version } = fields;
  const named = state.tokenParam === undefined ? (app_id ?? appId) : fields[state.tokenParam];
  return [
    ["app_id_both_names", app_id !== undefined && appId !== undefined],
    ["app_id_unknown", named !== state.appId],
    ["version_wrong", version !== "1.0.0"],
  ];
}

const MAX_BODY_BYTES = 2_000_000;

/**
 * The body's text fields, with numbers as text as a lenient vendor would read them, and findings on the body
 * as a whole (protocol.md 4.2, 6.1).
 */
export function readFields(request: SandboxRequest, known: readonly string[]): [Fields, BreachFinding[]] {
  const { body, contentType } = request;
  const object = readJsonObject(body);
  const json = object ?? {};
  const isText = ([, value]: [string, unknown]) => typeof value === "string";
  const isReadable = ([, value]: [string, unknown]) => typeof value === "string" || typeof value === "number";
  const readable = Object.entries(json).filter(isReadable);
  const fields: Fields = Object.fromEntries(readable.map(([name, value]) => [name, String(value)]));
  return [
    fields,
    [
      ...queryFindings(request, ["orderNo"]),
      ["content_type_wrong", !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType)],
      ["body_too_large", Buffer.byteLength(body) > MAX_BODY_BYTES],
      ["body_not_json", object === undefined],
      ["field_not_text", !Object.entries(json).every(isText)],
      ...unknownFindings(Object.keys(json), known),
    ],
  ];
}

/** Findings on the fields of every signed server call except its signature. */
export function signedFindings(fields: Fields, request: SandboxRequest, state: State): BreachFinding[] {
  const { nonce = "" } = fields;
  return [
    ...orderFindings(fields, request),
    ["nonce_format", !isWord(nonce, 32, 32)],
    ["nonce_reused", state.seen.nonces.has(nonce)],
  ];
}

/** The same for a call without a nonce. */
export function orderFindings({ orderNo = "", version }: Fields, request: SandboxRequest): BreachFinding[] {
  const inQuery = firstValues(request.query)["orderNo"];
  return [
    ["version_wrong", version !== "1.0.0"],
    ["order_no_format", !isWord(orderNo, 1, 32)],
    ["order_no_not_in_query", inQuery === undefined],
    ["order_no_differs", inQuery !== undefined && inQuery !== orderNo],
  ];
}

/** Whether the text has only letters and digits, and a length within the bounds. */
export function isWord(text: string, min: number, max: number): boolean {
  return text.length >= min && text.length <= max && /^[0-9A-Za-z]*$/.test(text);
}
