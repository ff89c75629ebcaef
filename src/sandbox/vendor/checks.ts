import type { BreachFinding } from "./breaches.ts";
import { firstValues, readJsonObject, type SandboxRequest } from "./request.ts";
import type { State } from "./state.ts";

/** Text fields by name; one that is absent or not a text is undefined. */
export type Fields = Readonly<Partial<Record<string, string>>>;

/** Names and number of query parameters. Unknown ones are shown if they look like a name and not like a value. */
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

const MOST_BODY_BYTES = 2_000_000;

/** The body's text fields, numbers written out among them as a lenient vendor would read them, and what is wrong with the body as a whole (protocol.md 4.2, 6.1). */
export function readFields(request: SandboxRequest, known: readonly string[]): [Fields, BreachFinding[]] {
  const { body, contentType } = request;
  const object = readJsonObject(body);
  const json = object ?? {};
  const isText = ([, value]: [string, unknown]) => typeof value === "string";
  const isRead = ([, value]: [string, unknown]) => typeof value === "string" || typeof value === "number";
  const read = Object.entries(json).filter(isRead);
  const fields: Fields = Object.fromEntries(read.map(([name, value]) => [name, String(value)]));
  return [
    fields,
    [
      ...queryFindings(request, ["orderNo"]),
      ["content_type_wrong", !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType)],
      ["body_too_large", Buffer.byteLength(body) > MOST_BODY_BYTES],
      ["body_not_json", object === undefined],
      ["field_not_text", !Object.entries(json).every(isText)],
      ...unknownFindings(Object.keys(json), known),
    ],
  ];
}

/** What every signed call of the server carries besides its signature. */
export function signedFindings(fields: Fields, request: SandboxRequest, state: State): BreachFinding[] {
  const { orderNo = "", nonce = "", version } = fields;
  const inQuery = firstValues(request.query)["orderNo"];
  return [
    ["version_wrong", version !== "1.0.0"],
    ["order_no_format", !isWord(orderNo, 1, 32)],
    ["order_no_not_in_query", inQuery === undefined],
    ["order_no_differs", inQuery !== undefined && inQuery !== orderNo],
    ["nonce_format", !isWord(nonce, 32, 32)],
    ["nonce_reused", state.seen.nonces.has(nonce)],
  ];
}

/** Whether the text is of letters and digits only, and of a length within the bounds. */
export function isWord(text: string, min: number, max: number): boolean {
  return text.length >= min && text.length <= max && /^[0-9A-Za-z]*$/.test(text);
}
