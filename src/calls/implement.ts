import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.ts";
import type { Caller, Handler } from "./call.ts";
import type { Pipeline, Wrapped } from "./pipeline.ts";

/** What one RPC does, and what holds for its requests beyond the rules of the proto. */
export interface MethodSpec<Input extends DescMessage, Output extends DescMessage> {
  handler: Handler<MessageShape<Input>, MessageShape<Output>>;
  /** Brings the request into the form that is checked and used. */
  normalise?(request: MessageShape<Input>): MessageShape<Input>;
  /** The rules that the proto cannot say. */
  violations?(request: MessageShape<Input>, caller: Caller): FieldViolation[];
}

/** The RPCs of a service under the names of its descriptor, each behind the pipeline: what every door calls. */
export interface Implementation<S extends DescService = DescService> {
  service: S;
  methods: { [M in keyof S["method"]]: Wrapped<S["method"][M]["input"], S["method"][M]["output"]> };
}

/** Puts every RPC of a service behind the pipeline. The compiler asks for one spec for each method of the descriptor. */
export function implement<S extends DescService>(
  service: S,
  pipeline: Pipeline,
  specs: { [M in keyof S["method"]]: MethodSpec<S["method"][M]["input"], S["method"][M]["output"]> },
): Implementation<S> {
  const methods = Object.entries(service.method).map(([localName, { name, input, output }]) => {
    const spec = specs[localName as keyof S["method"]] as MethodSpec<DescMessage, DescMessage>;
    return [localName, pipeline({ name, input, output, ...spec })];
  });
  return { service, methods: Object.fromEntries(methods) as Implementation<S>["methods"] };
}
