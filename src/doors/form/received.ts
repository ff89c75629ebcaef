import type { FastifyInstance } from "fastify";
import { callerLeft, ErrorReason, ServiceError } from "../../errors.ts";
import { BODY_TIMEOUT_MS, type Budget, OPEN_BODY_BYTES } from "../../lib/budget.ts";
import { after } from "../../lib/clock.ts";
import { hasLeft, streamOf } from "../../lib/http.ts";

const crowded = () =>
  new ServiceError(ErrorReason.OVERLOADED, "too much is being received", { retryAfterMs: 1_000 });
const formTimedOut = () => new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "no whole form in time");
const ignore = () => undefined;

/**
 * Limits the forms that Fastify reads: process-wide they hold at most `intake` until the response is sent,
 * none may take longer than a minute, and one whose caller disconnects is not reported as unreadable. Each
 * violation reaches Fastify as an error of the body.
 */
export function limitForms(app: FastifyInstance, intake: Budget): void {
  app.addHook("preParsing", (request, reply, payload, done) => {
    if (request.method !== "POST") return done();
    const share = intake.open();
    reply.raw.once("close", () => share.release());
    if (!share.take(OPEN_BODY_BYTES)) return done(crowded());
    let settled = false;
    const fail = (why: () => ServiceError) => {
      if (settled) return;
      stop();
      share.release();
      payload.emit("error", why());
    };
    const onAborted = () => fail(callerLeft);
    // Fires a tick before the form itself ends, which would then be taken for complete.
    streamOf(request.raw)?.once("end", () => {
      if (hasLeft(request.raw)) onAborted();
    });
    const stopTimer = after(BODY_TIMEOUT_MS, () => fail(formTimedOut));
    function stop(): void {
      // The listeners stay. perf: docs/performance.md#listeners-stay
      settled = true;
      stopTimer();
    }
    function onData(chunk: Buffer): void {
      if (!settled && !share.take(chunk.length)) fail(crowded);
    }
    payload
      .on("error", ignore)
      .on("data", onData)
      .on("end", stop)
      .on("aborted", onAborted)
      .on("close", onAborted);
    done();
  });
}
