import { create, type DescMethodUnary, fromBinary, toBinary } from "@bufbuild/protobuf";

/** A unary method of a generated descriptor as @grpc/grpc-js wants it described. */
export function definition(method: DescMethodUnary) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
    responseSerialize: (value: object) =>
      Buffer.from(toBinary(method.output, create(method.output, value as Record<string, unknown>))),
    responseDeserialize: () => ({}),
  } as const;
}
