import type { FieldViolation } from "../errors.ts";

/**
 * What a strict form door refuses: fields that the route does not have, and anything in the URL, which ends up in logs. Each
 * once, however often it occurs.
 */
export function strictViolations(
  form: ReadonlyMap<string, string>,
  fields: readonly string[],
  query: Readonly<Record<string, unknown>>,
): FieldViolation[] {
  const names = (given: Iterable<string>) => [...new Set(Array.from(given, printable))];
  const unknown = [...form.keys()].filter((name) => !fields.includes(name));
  const queried = Object.keys(query);
  if (unknown.length === 0 && queried.length === 0) return [];
  return [
    ...names(unknown).map((field) => ({ field, rule: "form.unknown" })),
    ...names(queried).map((field) => ({ field, rule: "form.query" })),
  ];
}

const FIELDS = new Set(["name", "id_no", "user_id", "request_id", "order_no"]);

/** A field's name as it may be repeated in answer and log; any other is the client's own text, and may be a value. */
export const printable = (name: string): string => (FIELDS.has(name) ? name : "a field");
