import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type FieldViolation, invalidRequest, type ServiceError } from "../errors.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import { OVERLOADED } from "./admission.ts";
import type { Caller, IncomingCall } from "./call.ts";
import type { MethodSpec } from "./implement.ts";
import { beginCall, type OngoingCallOptions } from "./ongoing-call.ts";

/** An RPC as the pipeline needs it. */
export interface Method<Input extends DescMessage, Output extends DescMessage>
  extends MethodSpec<Input, Output> {
  /** For logs and metrics. */
  name: string;
  input: Input;
  output: Output;
}

/** An RPC as the doors call it. Rejects only with ServiceError. */
export type Wrapped<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  call: IncomingCall,
) => Promise<MessageShape<Output>>;

export interface PipelineOptions extends OngoingCallOptions {
  /** Authenticates the caller; throws ServiceError. */
  authorise: (call: IncomingCall) => Promise<Caller> | Caller;
  /** Throws ServiceError if the caller exceeds its rate limit. */
  limit: (call: IncomingCall, caller: Caller) => Promise<void>;
  /** Checks the proto's rules. */
  validate: <D extends DescMessage>(desc: D, request: MessageShape<D>) => FieldViolation[];
  /** Opens a span per call, returned to the caller in `traceparent`, and one per handler. */
  tracer: Pick<Tracer, "span">;
}

export type Pipeline = <Input extends DescMessage, Output extends DescMessage>(
  method: Method<Input, Output>,
) => Wrapped<Input, Output>;

/**
 * What holds for every call through any door: admitted, observed, then each line of `run`, in this order. The time limit
 * starts with the call, before anything is waited for.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { authorise, limit, validate, admission, tracer, events } = options;

  return <Input extends DescMessage, Output extends DescMessage>(method: Method<Input, Output>) => {
    const { name, input, handler } = method;

    async function admit(request: MessageShape<Input>, received: IncomingCall) {
      if (!admission.enter()) throw refused(received);
      const { door, requestId, traceparent, answerHeader } = received;
      const fields = { door, method: name, request_id: requestId };
      return tracer.span({ name: `${door} ${name}`, kind: "server", traceparent, fields }, (span) => {
        answerHeader("traceparent", span.traceparent);
        return run(request, received, span);
      });
    }

    async function run(asReceived: MessageShape<Input>, received: IncomingCall, span: Span) {
      const { requestId, scope } = received;
      const { signal } = scope;
      const ongoing = beginCall(name, received, span, options);
      try {
        // perf: docs/performance.md#batching
        await resumeTogether();
        signal.throwIfAborted();
        const caller = await ongoing.identify(authorise(received));
        await limit(received, caller);
        const request = method.normalise?.(asReceived) ?? asReceived;
        check(request, received, caller);
        const call = { caller, requestId, signal, note: ongoing.note };
        return await tracer.span({ name: `handler ${name}`, kind: "internal" }, () => handler(request, call));
      } catch (thrown) {
        throw ongoing.fail(thrown);
      } finally {
        ongoing.finish();
      }
    }

    /** Reports all violations at once: of the door's rules, the proto's and the method's own. */
    function check(request: MessageShape<Input>, received: IncomingCall, caller: Caller): void {
      const violations = [
        ...(received.violations?.() ?? []),
        ...validate(input, request),
        ...(method.violations?.(request, caller) ?? []),
      ];
      if (violations.length > 0) throw invalidRequest(violations);
    }

    /** Reports a call beyond capacity, for which nothing else is done. */
    function refused({ door, requestId, peer }: IncomingCall): ServiceError {
      const { address } = peer;
      const call = { method: name, door, requestId, peer: address, caller: "", durationMs: 0, facts: {} };
      events.callFinished({ ...call, error: OVERLOADED });
      return OVERLOADED;
    }

    return admit;
  };
}
