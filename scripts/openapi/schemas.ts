import { type DescEnum, type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { getComments } from "@bufbuild/protoplugin";
import {
  type FieldRules,
  field as fieldOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>;

/** What a message looks like in the JSON of Connect (https://protobuf.dev/programming-guides/json/). */
export function messageSchema(message: DescMessage): Schema {
  return {
    type: "object",
    description: commentOf(message),
    properties: Object.fromEntries(message.fields.map((field) => [field.jsonName, fieldSchema(field)])),
  };
}

/** One field with its rules, as JSON has it. */
export function fieldSchema(field: DescField): Schema {
  const description = commentOf(field);
  if (field.fieldKind === "message" && field.message.typeName === "google.protobuf.Timestamp") {
    return { type: "string", format: "date-time", description };
  }
  if (field.fieldKind === "message") return { $ref: refTo(field.message), description };
  if (field.fieldKind === "enum") return { $ref: refTo(field.enum), description };
  if (field.fieldKind === "list" && field.listKind === "message") {
    return { type: "array", items: { $ref: refTo(field.message) }, description };
  }
  if (field.fieldKind !== "scalar") throw new Error(`no schema for ${field.fieldKind} fields yet`);
  return { ...scalarSchema(field.scalar), ...rulesSchema(getOption(field, fieldOption)), description };
}

export function enumSchema(desc: DescEnum): Schema {
  return {
    type: "string",
    description: [
      commentOf(desc),
      ...desc.values.map((value) => `- \`${value.name}\`: ${commentOf(value)}`),
    ].join("\n"),
    enum: desc.values.map(({ name }) => name),
  };
}

export const refTo = (desc: DescMessage | DescEnum) => `#/components/schemas/${desc.name}`;

/** What the proto says about it, as one paragraph. */
export function commentOf(desc: Parameters<typeof getComments>[0]): string {
  return (getComments(desc).leading ?? "").trim().replaceAll(/\s*\n\s*/g, " ");
}

function scalarSchema(scalar: ScalarType): Schema {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.DOUBLE:
      return { type: "number" };
    case ScalarType.UINT64:
    case ScalarType.INT64:
      return { type: "string", pattern: "^-?[0-9]+$" };
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return { type: "integer" };
    default:
      throw new Error(`no schema for scalar ${ScalarType[scalar]} yet`);
  }
}

function rulesSchema({ type }: FieldRules): Schema {
  if (type.case === "string") {
    const { minLen, maxLen, pattern } = type.value;
    return {
      ...(minLen > 0n && { minLength: Number(minLen) }),
      ...(maxLen > 0n && { maxLength: Number(maxLen) }),
      ...(pattern !== "" && { pattern }),
    };
  }
  if (type.case === "int32" && type.value.greaterThan.case === "gte") {
    return { minimum: type.value.greaterThan.value };
  }
  // Base64 writes three bytes as four characters.
  if (type.case === "bytes") return { maxLength: Math.ceil(Number(type.value.maxLen) / 3) * 4 };
  return {};
}
