import type { DescMessage, DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.ts";
import type { Caller, Handler, StreamHandler } from "./call.ts";
import type { Pipeline, Wrapped, WrappedStream } from "./pipeline.ts";

/** One RPC's rules beyond the proto's. */
export interface MethodRules<Input extends DescMessage> {
  /** Normalises the request before validation. */
  normalise?(request: MessageShape<Input>): MessageShape<Input>;
  /** Rules that the proto cannot express. */
  violations?(request: MessageShape<Input>, caller: Caller): FieldViolation[];
}

/** One RPC's handler and rules. */
export interface MethodSpec<Input extends DescMessage, Output extends DescMessage>
  extends MethodRules<Input> {
  handler: Handler<MessageShape<Input>, MessageShape<Output>>;
}

/** The same for an RPC that streams its responses. */
export interface StreamSpec<Input extends DescMessage, Output extends DescMessage>
  extends MethodRules<Input> {
  handler: StreamHandler<MessageShape<Input>, MessageShape<Output>>;
}

/** A service's RPCs by descriptor name, each wrapped in the pipeline; called by every door. */
export interface Implementation<S extends DescService = DescService> {
  service: S;
  methods: { [M in keyof S["method"]]: WrappedAs<S["method"][M]> };
}

type WrappedAs<M extends DescMethod> = DescMethod extends M
  ? Wrapped<DescMessage, DescMessage> | WrappedStream<DescMessage, DescMessage>
  : M extends { methodKind: "server_streaming" }
    ? WrappedStream<M["input"], M["output"]>
    : Wrapped<M["input"], M["output"]>;

/** A handler alone, where the rules of the proto are all there are. */
type Spec<M extends DescMethod> = M extends { methodKind: "server_streaming" }
  ? StreamSpec<M["input"], M["output"]> | StreamSpec<M["input"], M["output"]>["handler"]
  : MethodSpec<M["input"], M["output"]> | MethodSpec<M["input"], M["output"]>["handler"];

/**
 * Wraps every RPC of a service in the pipeline. The compiler requires a spec for each method of the
 * descriptor.
 */
export function implement<S extends DescService>(
  service: S,
  pipeline: Pipeline,
  specs: { [M in keyof S["method"]]: Spec<S["method"][M]> },
): Implementation<S> {
  const methods = Object.entries(service.method).map(([localName, { name, input, output, methodKind }]) => {
    const spec = specs[localName as keyof S["method"]];
    const { handler, ...rules } = typeof spec === "function" ? { handler: spec } : spec;
    const method: unknown = { name, input, output, handler, ...rules };
    const wrapped =
      methodKind === "server_streaming"
        ? pipeline.stream(method as Parameters<Pipeline["stream"]>[0])
        : pipeline.unary(method as Parameters<Pipeline["unary"]>[0]);
    return [localName, wrapped];
  });
  return { service, methods: Object.fromEntries(methods) as Implementation<S>["methods"] };
}
