import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type FieldViolation, invalidRequest, type ServiceError } from "../errors.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import { type Admission, OVERLOADED } from "./admission.ts";
import type { Call, Caller, IncomingCall, SendMessage } from "./call.ts";
import type { MethodRules, MethodSpec, StreamSpec } from "./implement.ts";
import { beginCall, type OngoingCallOptions } from "./ongoing-call.ts";

/** An RPC's name, for logs and metrics, and its messages. */
interface Described<Input extends DescMessage, Output extends DescMessage> {
  name: string;
  input: Input;
  output: Output;
}

/** An RPC as the pipeline needs it. */
export type Method<Input extends DescMessage, Output extends DescMessage> = MethodSpec<Input, Output> &
  Described<Input, Output>;
export type StreamMethod<Input extends DescMessage, Output extends DescMessage> = StreamSpec<Input, Output> &
  Described<Input, Output>;

/** An RPC as the doors call it. Rejects only with ServiceError. */
export type Wrapped<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  call: IncomingCall,
) => Promise<MessageShape<Output>>;

/** The same for an RPC that streams its responses, which `send` takes one by one. */
export type WrappedStream<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  call: IncomingCall,
  send: SendMessage<MessageShape<Output>>,
) => Promise<void>;

export interface PipelineOptions extends OngoingCallOptions {
  /** Places of streams, which stay for hours and so take none of the calls', and have no time limit. */
  streams: Admission;
  /** Authenticates the caller; throws ServiceError. */
  authorise: (call: IncomingCall) => Promise<Caller> | Caller;
  /** Throws ServiceError if the caller exceeds its rate limit. */
  limit: (call: IncomingCall, caller: Caller) => Promise<void>;
  /** Checks the proto's rules. */
  validate: <D extends DescMessage>(desc: D, request: MessageShape<D>) => FieldViolation[];
  /** Opens a span per call, returned to the caller in `traceparent`, and one per handler. */
  tracer: Pick<Tracer, "span">;
}

export interface Pipeline {
  unary<I extends DescMessage, O extends DescMessage>(method: Method<I, O>): Wrapped<I, O>;
  stream<I extends DescMessage, O extends DescMessage>(method: StreamMethod<I, O>): WrappedStream<I, O>;
  /** A route of a door that is no RPC, such as a page: its request is no message, and the door has checked it. */
  route<R, T>(name: string, handler: Handle<R, T>): (request: R, call: IncomingCall) => Promise<T>;
}

/**
 * What holds for every call through any door: admitted, observed, then each line of `run`, in this order. The time limit
 * starts with the call, before anything is waited for.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { authorise, limit, validate, tracer, events } = options;
  const streaming = { ...options, admission: options.streams, maxDurationMs: undefined };

  /** How calls go through: `prepare` normalises and checks a request; `bounds` are those of its kind. */
  function through<R>(name: string, prepare: Prepare<R>, bounds: OngoingCallOptions) {
    async function admit<T>(request: R, received: IncomingCall, handle: Handle<R, T>) {
      if (!bounds.admission.enter()) throw refused(received);
      const { door, requestId, traceparent, answerHeader } = received;
      const fields = { door, method: name, request_id: requestId };
      return tracer.span({ name: `${door} ${name}`, kind: "server", traceparent, fields }, (span) => {
        answerHeader("traceparent", span.traceparent);
        return run(request, received, span, handle);
      });
    }

    async function run<T>(asReceived: R, received: IncomingCall, span: Span, handle: Handle<R, T>) {
      const { requestId, scope } = received;
      const { signal } = scope;
      const ongoing = beginCall(name, received, span, bounds);
      try {
        // perf: docs/performance.md#batching
        await resumeTogether();
        signal.throwIfAborted();
        const caller = await ongoing.identify(authorise(received));
        await limit(received, caller);
        const request = prepare(asReceived, received, caller);
        const call = { caller, requestId, signal, note: ongoing.note };
        return await tracer.span({ name: `handler ${name}`, kind: "internal" }, () => handle(request, call));
      } catch (thrown) {
        throw ongoing.fail(thrown);
      } finally {
        ongoing.finish();
      }
    }

    /** Reports a call beyond capacity, for which nothing else is done. */
    function refused({ door, requestId, peer }: IncomingCall): ServiceError {
      const { address } = peer;
      const call = { method: name, door, requestId, peer: address, caller: "", durationMs: 0, facts: {} };
      events.callFinished({ ...call, error: OVERLOADED });
      return OVERLOADED;
    }

    return admit;
  }

  /** Normalises a message and checks it: all violations at once, of the door's rules, the proto's and the method's own. */
  function prepareFor<Input extends DescMessage>(method: MethodRules<Input> & { input: Input }) {
    return (asReceived: MessageShape<Input>, received: IncomingCall, caller: Caller): MessageShape<Input> => {
      const request = method.normalise?.(asReceived) ?? asReceived;
      const violations = [
        ...(received.violations?.() ?? []),
        ...validate(method.input, request),
        ...(method.violations?.(request, caller) ?? []),
      ];
      if (violations.length > 0) throw invalidRequest(violations);
      return request;
    };
  }

  return {
    unary(method) {
      const admit = through(method.name, prepareFor(method), options);
      return (request, received) => admit(request, received, method.handler);
    },
    route(name, handler) {
      const admit = through(name, (request: Parameters<typeof handler>[0]) => request, options);
      return (request, received) => admit(request, received, handler);
    },
    stream(method) {
      const admit = through(method.name, prepareFor(method), streaming);
      return (request, received, send) =>
        admit(request, received, (checked, call) => method.handler(checked, { ...call, send }));
    },
  };
}

type Prepare<R> = (request: R, received: IncomingCall, caller: Caller) => R;
type Handle<R, T> = (request: R, call: Call) => Promise<T>;
