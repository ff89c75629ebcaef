import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { ErrorReason, type FieldViolation, invalidRequest, reasonName, ServiceError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted, timeLimit } from "../lib/deadline.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Span, Tracer } from "../telemetry/tracer.ts";
import { type Admission, OVERLOADED } from "./admission.ts";
import type { Call, Caller, CallFacts, Handler, IncomingCall } from "./call.ts";
import { toServiceError } from "./failures.ts";

/** An RPC and what the pipeline has to know of it. */
export interface Method<Input extends DescMessage, Output extends DescMessage> {
  /** For logs and metrics. */
  name: string;
  input: Input;
  output: Output;
  handler: Handler<MessageShape<Input>, MessageShape<Output>>;
  /** Brings the request into the form that is checked and used. */
  normalise?(request: MessageShape<Input>): MessageShape<Input>;
  /** The rules that the proto cannot say. */
  violations?(request: MessageShape<Input>, caller: Caller): FieldViolation[];
}

/** An RPC as the doors call it. Rejects with ServiceError and nothing else. */
export type Wrapped<Input extends DescMessage, Output extends DescMessage> = (
  request: MessageShape<Input>,
  call: IncomingCall,
) => Promise<MessageShape<Output>>;

/** One finished call, for the access line and the metrics. */
export interface CallFinished {
  method: string;
  door: string;
  requestId: string;
  peer: string;
  /** The caller's name; "" when nobody was admitted. */
  caller: string;
  durationMs: number;
  /** Undefined for success. */
  error: ServiceError | undefined;
  facts: CallFacts;
}

export interface PipelineOptions {
  /** Finds out who calls; throws ServiceError for those who may not. */
  authorise: (call: IncomingCall) => Promise<Caller> | Caller;
  /** Throws ServiceError for those who call too often. */
  limit: (call: IncomingCall, caller: Caller) => Promise<void>;
  /** The rules written in the proto. */
  validate: <D extends DescMessage>(desc: D, request: MessageShape<D>) => FieldViolation[];
  /** Room for calls under way. */
  admission: Admission;
  /** Time for a call, also when the caller gives none or a longer one, milliseconds. */
  maxDurationMs: number;
  /** A span for each call, which the answer names, and one for its handler. */
  tracer: Pick<Tracer, "span">;
  clock: Clock;
  events: { callFinished(call: CallFinished): void };
}

export type Pipeline = <Input extends DescMessage, Output extends DescMessage>(
  method: Method<Input, Output>,
) => Wrapped<Input, Output>;

/** What holds for every call by whichever door, once: admit, observe, authorise, limit, validate, a time limit, errors in our words. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { authorise, limit: limited, validate, admission, maxDurationMs, tracer, clock, events } = options;

  return (method) => {
    const { name } = method;
    type Request = Parameters<typeof method.handler>[0];

    async function run(incoming: Request, incomingCall: IncomingCall, span: Span) {
      const startedAt = clock.monotonic();
      const facts: CallFacts = {};
      let caller: Caller | undefined;
      let error: ServiceError | undefined;
      let admitted = true;
      const limit = timeLimit(maxDurationMs, incomingCall.signal);
      const { signal } = limit;

      /** Gives up the place for as long as another server is asked who calls: those who wait for it must not fill the room. */
      async function waitFor(asked: Promise<Caller>): Promise<Caller> {
        admission.leave();
        admitted = false;
        const identified = await orAborted(asked, signal);
        admitted = admission.enter();
        if (!admitted) throw OVERLOADED;
        return identified;
      }

      try {
        // In step with all that came in together.
        await resumeTogether();
        signal.throwIfAborted();
        const asked = authorise(incomingCall);
        caller = asked instanceof Promise ? await waitFor(asked) : asked;
        await limited(incomingCall, caller);
        const request = method.normalise?.(incoming) ?? incoming;
        const violations = [
          ...(incomingCall.violations?.() ?? []),
          ...validate(method.input, request),
          ...(method.violations?.(request, caller) ?? []),
        ];
        if (violations.length > 0) throw invalidRequest(violations);
        const call: Call = {
          caller,
          requestId: incomingCall.requestId,
          signal,
          note: (noted) => Object.assign(facts, noted),
        };
        return await tracer.span({ name: `handler ${name}`, kind: "internal" }, () =>
          method.handler(request, call),
        );
      } catch (thrown) {
        const overtime = limit.expired && thrown === signal.reason;
        error = overtime
          ? new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the service's own time limit passed")
          : toServiceError(thrown);
        throw error;
      } finally {
        limit.release();
        if (admitted) admission.leave();
        const { door, requestId, peer } = incomingCall;
        const durationMs = clock.monotonic() - startedAt;
        const finished = { method: name, door, requestId, peer, caller: caller?.name ?? "", durationMs };
        events.callFinished({ ...finished, error, facts });
        const outcome = error ? reasonName(error.reason) : "OK";
        span.set({ outcome });
        if (error) span.fail(outcome);
      }
    }

    /** Ends a call for which there is no room, before anything is done for it. */
    async function turnAway({ door, requestId, peer }: IncomingCall): Promise<never> {
      const finished = { method: name, door, requestId, peer, caller: "", durationMs: 0, facts: {} };
      events.callFinished({ ...finished, error: OVERLOADED });
      throw OVERLOADED;
    }

    return (incoming, incomingCall) => {
      if (!admission.enter()) return turnAway(incomingCall);
      const { door, requestId, traceparent } = incomingCall;
      const fields = { door, method: name, request_id: requestId };
      return tracer.span({ name: `${door} ${name}`, kind: "server", traceparent, fields }, (span) => {
        incomingCall.answerHeader("traceparent", span.traceparent);
        return run(incoming, incomingCall, span);
      });
    };
  };
}
