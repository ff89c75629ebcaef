import { styleText } from "node:util";
import type { Transcript } from "./transcripts/transcripts.ts";

/** The request id of what the sandbox asks the service every second for its console: not worth a line. */
export const POLL_ID = "sandbox-console";

/** A call as one line. */
interface TerminalCall {
  /** ISO 8601, or milliseconds since the Unix epoch. */
  time: string | number;
  door: string;
  method: string;
  outcome: string;
  ok: boolean;
  durationMs: number;
  orderNo: string | undefined;
}

/** Decides whether there are colours: on a terminal only, and not with NO_COLOR. */
type Stream = NodeJS.WriteStream;

type Line = Readonly<Record<string, unknown>>;

/** Takes the service's log lines, and writes them for people, or with `json` as they are. */
export function createTerminalSink(stream: Stream, json: boolean): { write(line: string): void } {
  // A reader that has closed its end, such as `head`, does not stop the service.
  stream.on("error", () => undefined);
  return {
    write(text) {
      const line = JSON.parse(text) as Line;
      if (line["request_id"] === POLL_ID) return;
      stream.write(json ? text : `${lineOf(line, stream)}\n`);
    },
  };
}

/** A call to the sandbox itself, for people or for machines. */
export function sandboxLine({ call, facts }: Transcript, stream: Stream, json: boolean): string {
  const { startedAt, endedAt = startedAt, endpoint, code, fault, status } = call;
  const durationMs = endedAt - startedAt;
  const { orderNo } = facts;
  if (json) return JSON.stringify({ event: "call", time: new Date(endedAt).toISOString(), ...call, orderNo });
  const outcome = [code !== undefined ? `code ${code}` : status && `HTTP ${status}`, fault].filter(Boolean);
  return callLine(
    {
      time: endedAt,
      door: endpoint.startsWith("get_") ? "backend" : "vendor",
      method: endpoint,
      outcome: outcome.join(" "),
      ok: code === "0" && fault === undefined,
      durationMs,
      orderNo,
    },
    stream,
  );
}

/** One line: time, door, method, outcome, duration, order number. */
function callLine(call: TerminalCall, stream: Stream): string {
  const { time, door, method, outcome, ok, durationMs, orderNo } = call;
  return [
    styleText("dim", timeOfDay(time), { stream }),
    door.padEnd(8),
    method.padEnd(14),
    styleText(ok ? "green" : "red", outcome.padEnd(22), { stream }),
    `${Math.round(durationMs)} ms`.padStart(8),
    ...(orderNo ? [` order ${orderNo}`] : []),
  ].join(" ");
}

function lineOf(line: Line, stream: Stream): string {
  const { event, time, level, msg, trace_id: _trace, request_id: _request, stack: _stack, ...rest } = line;
  if (event === "call_finished") return finishedLine(line, stream);
  const facts = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const loud = level === "error" || level === "fatal" ? "red" : level === "warn" ? "yellow" : undefined;
  const said = String(msg ?? event);
  return [
    styleText("dim", timeOfDay(String(time)), { stream }),
    loud ? styleText(loud, said, { stream }) : said,
    styleText("dim", facts.join(" "), { stream }),
  ].join(" ");
}

function finishedLine(line: Line, stream: Stream): string {
  const text = (name: string) => (typeof line[name] === "string" ? line[name] : "");
  const [outcome, verdict, code] = [text("outcome"), text("verdict"), text("upstream_code")];
  const call = {
    time: text("time"),
    door: text("door"),
    method: text("method"),
    // The vendor's code says more than the reason that it leads to.
    outcome: [verdict || outcome, outcome !== "OK" && code ? `(code ${code})` : ""].filter(Boolean).join(" "),
    ok: outcome === "OK",
    durationMs: Number(line["duration_ms"]),
    orderNo: text("order_no"),
  };
  return callLine(call, stream);
}

/** The time of day where the terminal is. */
function timeOfDay(time: string | number): string {
  return new Date(time).toLocaleTimeString("en-GB");
}
