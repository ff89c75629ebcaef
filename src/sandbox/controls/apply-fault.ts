import type { TurnableClock } from "../turnable-clock.ts";
import type { Fault } from "./faults.ts";

/** A connection with a call in flight, as needed for a response with faults. */
export interface FaultableConnection {
  send(status: number, contentType: string, body: string): void;
  redirect(status: number, location: string): void;
  /** Closes the connection with a TCP reset. */
  reset(): void;
  /** Announces the whole body, sends half of it, and closes the connection. */
  truncate(contentType: string, body: string): void;
  /** Aborts when the caller disconnects or the sandbox stops. */
  gone: AbortSignal;
  /** Aborts when the sandbox stops. */
  stopping: AbortSignal;
}

/** A response that has not been sent: JSON, or for a browser a page or a redirect. */
export type PreparedAnswer = { status: number } & (
  | { json: unknown }
  | { html: string }
  | { location: string }
);

const JSON_TYPE = "application/json; charset=utf-8";
const HTML_TYPE = "text/html; charset=utf-8";
const PAGE =
  "<html><head><title>502 Bad Gateway</title></head><body><center>502 Bad Gateway</center></body></html>";

/** Executes the call, or applies the fault. Rejects if the caller leaves or the sandbox stops. */
export async function answer(
  fault: Fault | undefined,
  work: () => PreparedAnswer,
  wire: FaultableConnection,
  clock: TurnableClock,
): Promise<void> {
  const send = (prepared: PreparedAnswer) => {
    const { status } = prepared;
    if ("location" in prepared) return wire.redirect(status, prepared.location);
    if ("html" in prepared) return wire.send(status, HTML_TYPE, prepared.html);
    return wire.send(status, JSON_TYPE, JSON.stringify(prepared.json));
  };
  const delayMs = fault?.delayMs ?? 1000;
  switch (fault?.kind) {
    case undefined:
    // They are about a redirect of the browser, and no answer to a call.
    case "forged_signature":
    case "stale_signature":
    case "missing_signature":
      return send(work());
    case "delay":
      await clock.sleep(delayMs, wire.gone);
      return send(work());
    case "late":
      await clock.sleep(delayMs, wire.stopping);
      return send(work());
    case "slow_reply": {
      const prepared = work();
      await clock.sleep(delayMs, wire.gone);
      return send(prepared);
    }
    case "status":
      return wire.send(fault.status ?? 503, "text/plain", "");
    case "reset":
      return wire.reset();
    case "lost_reply":
      work();
      return wire.reset();
    case "truncate": {
      const prepared = work();
      return wire.truncate(JSON_TYPE, JSON.stringify("json" in prepared ? prepared.json : {}));
    }
    case "html":
      return wire.send(fault.status ?? 200, "text/html", PAGE);
    case "code":
      return send({
        status: 200,
        json: { code: fault.code ?? "66660021", msg: "scripted", bizSeqNo: "scripted" },
      });
  }
}
