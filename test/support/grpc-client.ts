import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

/** A real grpc-js client over the generated schemas. Rejects with grpc-js's own ServiceError. */
export class GrpcClient extends grpc.Client {
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    init: MessageInitShape<I>,
    options: { metadata?: Record<string, string>; timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<MessageShape<O>> {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    return new Promise((resolve, reject) => {
      const call = this.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, init),
        metadata,
        options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
        (error, value) => {
          if (error) reject(error);
          else resolve(value as MessageShape<O>);
        },
      );
      options.signal?.addEventListener("abort", () => call.cancel(), { once: true });
    });
  }
}
