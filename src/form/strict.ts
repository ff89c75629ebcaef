import type { FieldViolation } from "../errors.ts";

/** What a strict form door refuses: fields that the route does not have, and anything in the URL, which ends up in logs. */
export function strictViolations(
  form: ReadonlyMap<string, string>,
  fields: readonly string[],
  query: Readonly<Record<string, unknown>>,
): FieldViolation[] {
  const unknown = [...form.keys()].filter((name) => !fields.includes(name));
  return [
    ...unknown.map((name) => ({ field: printable(name), rule: "form.unknown" })),
    ...Object.keys(query).map((name) => ({ field: printable(name), rule: "form.query" })),
  ];
}

const FIELDS = new Set(["name", "id_no", "user_id", "request_id", "order_no"]);

/** A field's name as it may be repeated in answer and log; any other is the client's own text, and may be a value. */
export const printable = (name: string): string => (FIELDS.has(name) ? name : "a field");
