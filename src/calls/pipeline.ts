import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type FieldViolation, invalidRequest } from "../errors.ts";
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

/** What holds for every call through any door. Each line is one rule, in the order of enforcement. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { authorise, limit, validate, admission, tracer, events } = options;

  return (method) => {
    const { name, input, handler } = method;
    type Request = Parameters<typeof handler>[0];

    async function run(incoming: Request, incomingCall: IncomingCall, span: Span) {
      const { requestId, scope } = incomingCall;
      const { signal } = scope;
      const ongoing = beginCall(name, incomingCall, span, options);
      try {
        // perf: docs/performance.md#batching
        await resumeTogether();
        signal.throwIfAborted();
        const caller = await ongoing.identify(authorise(incomingCall));
        await limit(incomingCall, caller);
        const request = method.normalise?.(incoming) ?? incoming;
        check(request, incomingCall, caller);
        const call = { caller, requestId, signal, note: ongoing.note };
        return await tracer.span({ name: `handler ${name}`, kind: "internal" }, () => handler(request, call));
      } catch (thrown) {
        throw ongoing.fail(thrown);
      } finally {
        ongoing.finish();
      }
    }

    /** Reports all violations at once: of the door's rules, the proto's and the method's own. */
    function check(request: Request, incomingCall: IncomingCall, caller: Caller): void {
      const violations = [
        ...(incomingCall.violations?.() ?? []),
        ...validate(input, request),
        ...(method.violations?.(request, caller) ?? []),
      ];
      if (violations.length > 0) throw invalidRequest(violations);
    }

    /** Rejects a call beyond capacity before any work is done for it. */
    async function refuse({ door, requestId, peer }: IncomingCall): Promise<never> {
      const call = {
        method: name,
        door,
        requestId,
        peer: peer.address,
        caller: "",
        durationMs: 0,
        facts: {},
      };
      events.callFinished({ ...call, error: OVERLOADED });
      throw OVERLOADED;
    }

    return (request, call) => {
      if (!admission.enter()) return refuse(call);
      const { door, requestId, traceparent } = call;
      const fields = { door, method: name, request_id: requestId };
      return tracer.span({ name: `${door} ${name}`, kind: "server", traceparent, fields }, (span) => {
        call.answerHeader("traceparent", span.traceparent);
        return run(request, call, span);
      });
    };
  };
}
