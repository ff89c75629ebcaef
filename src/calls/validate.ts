import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import type { FieldViolation } from "../errors.ts";

/** Checks a request against the proto's rules; violations name field and rule, never the value. */
export type Validate = <D extends DescMessage>(desc: D, request: MessageShape<D>) => FieldViolation[];

/** Compiles the rules of `schemas` up front rather than in the first call. */
export function createValidate(schemas: readonly DescMessage[]): Validate {
  // The patterns are our own, so no ReDoS-safe engine is needed.
  const patterns = new Map<string, RegExp>();
  const regexMatch = (pattern: string, text: string) => {
    const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
    patterns.set(pattern, compiled);
    return compiled.test(text);
  };
  const validator = createValidator({ regexMatch });
  const validate: Validate = (desc, request) => {
    const result = validator.validate(desc, request);
    if (result.kind === "valid") return [];
    if (result.kind === "error") throw result.error;
    return result.violations.map(({ field, ruleId }) => ({
      field: field.map((part) => ("name" in part ? part.name : "")).join("."),
      rule: ruleId,
    }));
  };
  for (const schema of schemas) validator.validate(schema, create(schema));
  return validate;
}
