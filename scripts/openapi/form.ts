import { create, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  GetFaceParamsResponseSchema,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import {
  FACE_PARAMS_FIELDS,
  faceParamsAnswer,
  RESULT_FIELDS,
  resultAnswer,
} from "../../src/doors/form/fields.ts";
import { fieldSchema, type Schema } from "./schemas.ts";

/** A form route and the RPC behind it. */
export interface FormRoute {
  path: string;
  rpc: string;
  summary: string;
  fields: readonly string[];
  required: readonly string[];
  /** Names of the members of `result`, from the code that writes them. */
  result: readonly string[];
}

export const FORM_ROUTES: readonly FormRoute[] = [
  {
    path: "/get_face_params",
    rpc: "GetFaceParams",
    summary: "Launch parameters for the App SDK, as a form",
    fields: FACE_PARAMS_FIELDS,
    required: ["name", "id_no"],
    result: Object.keys(faceParamsAnswer(create(GetFaceParamsResponseSchema), "en").result),
  },
  {
    path: "/get_result",
    rpc: "GetResult",
    summary: "The verdict, as a form",
    fields: RESULT_FIELDS,
    required: ["order_no"],
    result: Object.keys(resultAnswer(create(GetResultResponseSchema), "en").result),
  },
];

/** The form's fields, with the rules of the proto's. */
export function formSchema({ fields, required }: FormRoute, input: DescMessage): Schema {
  return { type: "object", required, properties: propertiesOf(fields, input) };
}

/** The answer without error; `result` has the proto's names, enums without prefix, and null for what is unknown. */
export function formAnswerSchema({ result }: FormRoute, output: DescMessage): Schema {
  const properties = Object.fromEntries(
    Object.entries(propertiesOf(result, output)).map(([name, schema]) => [
      name,
      asAnswered(name, schema, output),
    ]),
  );
  return {
    type: "object",
    required: ["code", "msg", "result"],
    properties: {
      code: {
        type: "string",
        description:
          'The vendor\'s code. "0" is success, and on /get_result a passed verification and nothing else.',
      },
      msg: {
        type: "string",
        description: "For people, in the language of Accept-Language, Chinese by default.",
      },
      result: { type: "object", required: result, properties, additionalProperties: false },
    },
    additionalProperties: false,
  };
}

function propertiesOf(names: readonly string[], message: DescMessage): Record<string, Schema> {
  return Object.fromEntries(
    names.map((name) => {
      const field = message.fields.find((each) => each.name === name);
      if (!field) throw new Error(`${message.typeName} has no field ${name}`);
      return [name, fieldSchema(field)];
    }),
  );
}

function asAnswered(name: string, schema: Schema, message: DescMessage): Schema {
  const field = message.fields.find((each) => each.name === name);
  if (field?.fieldKind === "enum") {
    const prefix = field.enum.sharedPrefix?.toUpperCase() ?? "";
    const names = field.enum.values.map((value) => value.name.slice(prefix.length));
    return { type: "string", enum: names, description: schema["description"] };
  }
  if (field?.fieldKind === "message" && schema["type"] === undefined) {
    const names = field.message.fields.map((each) => each.name);
    const members = Object.entries(propertiesOf(names, field.message));
    return {
      type: ["object", "null"],
      required: names,
      properties: Object.fromEntries(
        members.map(([member, of]) => [member, asAnswered(member, of, field.message)]),
      ),
      additionalProperties: false,
      description: schema["description"],
    };
  }
  return field && mayBeAbsent(field) ? { ...schema, type: [schema["type"], "null"] } : schema;
}

/** Whether a message can be without it: `optional`, or a message. */
const mayBeAbsent = (field: DescField) => field.presence === FeatureSet_FieldPresence.EXPLICIT;
