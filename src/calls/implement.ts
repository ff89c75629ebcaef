import type { DescMessage, DescService, MessageShape } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.ts";
import type { Caller, Handler } from "./call.ts";
import type { Pipeline, Wrapped } from "./pipeline.ts";

/** One RPC's handler and its rules beyond the proto's. */
export interface MethodSpec<Input extends DescMessage, Output extends DescMessage> {
  handler: Handler<MessageShape<Input>, MessageShape<Output>>;
  /** Normalises the request before validation. */
  normalise?(request: MessageShape<Input>): MessageShape<Input>;
  /** Rules that the proto cannot express. */
  violations?(request: MessageShape<Input>, caller: Caller): FieldViolation[];
}

/** A service's RPCs by descriptor name, each wrapped in the pipeline; called by every door. */
export interface Implementation<S extends DescService = DescService> {
  service: S;
  methods: { [M in keyof S["method"]]: Wrapped<S["method"][M]["input"], S["method"][M]["output"]> };
}

/** A handler alone, where the rules of the proto are all there are. */
type Spec<Input extends DescMessage, Output extends DescMessage> =
  | MethodSpec<Input, Output>
  | MethodSpec<Input, Output>["handler"];

/**
 * Wraps every RPC of a service in the pipeline. The compiler requires a spec for each method of the
 * descriptor.
 */
export function implement<S extends DescService>(
  service: S,
  pipeline: Pipeline,
  specs: { [M in keyof S["method"]]: Spec<S["method"][M]["input"], S["method"][M]["output"]> },
): Implementation<S> {
  const methods = Object.entries(service.method).map(([localName, { name, input, output }]) => {
    const spec = specs[localName as keyof S["method"]] as Spec<DescMessage, DescMessage>;
    const { handler, ...rules } = typeof spec === "function" ? { handler: spec } : spec;
    return [localName, pipeline({ name, input, output, handler, ...rules })];
  });
  return { service, methods: Object.fromEntries(methods) as Implementation<S>["methods"] };
}
