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

/** A stranger's field name as it may be repeated in an answer. */
export const printable = (name: string): string => (/^[A-Za-z0-9_.-]{1,32}$/.test(name) ? name : "a field");
