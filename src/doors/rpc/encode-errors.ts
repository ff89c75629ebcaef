import { toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouterOptions,
  createContextKey,
  type HandlerContext,
  type UnaryResponse,
} from "@connectrpc/connect";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { ServiceEvents } from "../../events.ts";
import { toConnectError } from "./errors.ts";
import { VISIT } from "./visit.ts";

/** The error sent to the caller when a response cannot be written. */
export const UNWRITABLE = new ServiceError(ErrorReason.INTERNAL, "an answer could not be written");

/**
 * Rewrites and reports Connect's errors for responses that it cannot encode. It would send its own text,
 * which quotes the response, and report nothing; instead the caller gets INTERNAL in our wording.
 */
export function rewriteEncodeErrors(events: Pick<ServiceEvents, "answerFailed">) {
  const key = createContextKey<{ context: HandlerContext | undefined; answered: boolean }>({
    context: undefined,
    answered: false,
  });

  function failed(
    { protocolName, requestHeader, method, values }: HandlerContext,
    error: unknown,
  ): ConnectError {
    const { requestId } = values.get(VISIT);
    events.answerFailed({ door: protocolName, requestId, path: method.name, error });
    return toConnectError(UNWRITABLE, requestHeader.get("accept-language") ?? undefined);
  }

  return {
    requestGate(context) {
      const visit = { context, answered: false };
      context.values.set(key, visit);
      // In its own protocol Connect aborts the call with the error before it writes that error.
      context.signal.addEventListener("abort", () => {
        const { reason } = context.signal as { reason: unknown };
        if (!visit.answered || !(reason instanceof ConnectError) || reason.code !== Code.Internal) return;
        // A stream's own error, which is ours and reported.
        if (reason.cause instanceof ServiceError) return;
        const { code, rawMessage, message, details } = failed(context, reason.cause);
        Object.assign(reason, { code, rawMessage, message, details, cause: undefined });
      });
    },
    interceptors: [
      (next) => async (request) => {
        const response = await next(request);
        const visit = request.contextValues.get(key);
        const { context } = visit;
        visit.answered = context?.protocolName === "connect";
        if (response.stream || !context || visit.answered) return response;
        // In the other protocols the failure surfaces only after the trailers, so the response is encoded
        // once as a trial.
        try {
          write(response, context);
        } catch (error) {
          throw failed(context, error);
        }
        return response;
      },
    ],
  } satisfies Partial<ConnectRouterOptions>;
}

function write({ method, message }: UnaryResponse, { requestHeader }: HandlerContext): void {
  if (requestHeader.get("content-type")?.includes("json")) toJsonString(method.output, message);
  else toBinary(method.output, message);
}
