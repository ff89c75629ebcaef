import type { ServerResponse } from "node:http";
import { callerLeft, deadlinePassed } from "../../errors.ts";
import { type CallScope, openScope } from "../../lib/deadline.ts";

/** The connection that a call is answered on, and the call's lifetime: until the client leaves or its deadline passes. */
export interface ClientConnection {
  readonly scope: CallScope;
  /** Whether the client has disconnected, so that no answer reaches it. */
  readonly left: boolean;
  /** Stops watching both, once there is an answer. */
  release(): void;
}

/** Watches the client of a response. `timeoutMs`: its deadline, milliseconds from now. */
export function clientConnection(response: ServerResponse, timeoutMs: number | undefined): ClientConnection {
  const scope = openScope();
  let left = false;
  const leave = () => {
    left = true;
    scope.end(callerLeft());
  };
  response.once("close", leave);
  if (timeoutMs !== undefined) scope.endAfter(timeoutMs, deadlinePassed);
  return {
    scope,
    get left() {
      return left;
    },
    release() {
      scope.release();
      response.off("close", leave);
    },
  };
}
