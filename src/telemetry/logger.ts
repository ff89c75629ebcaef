import pino, { type DestinationStream, type Logger } from "pino";
import { OperatorError, StoreError, UpstreamError } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { createStandardOutput } from "./standard-output.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LoggerOptions {
  level: LogLevel;
  /** The trace of the current call. */
  traceId: () => string | undefined;
  /** Default: standard output, written asynchronously and flushed before the process exits. */
  sink?: DestinationStream | undefined;
  /** Called for each line dropped because too many are queued for a full disk or a stalled reader. */
  onLost?: () => void;
}

/**
 * Max length of a string and max entries of a list in a line. Every logged value has its own bound; this is
 * the safety net, so that neither a client nor the vendor can flood the log.
 */
const MAX_TEXT_LENGTH = 2_048;
const MAX_ENTRIES = 32;

function bounded(line: Record<string, unknown>): Record<string, unknown> {
  for (const field in line) {
    const value = line[field];
    if (typeof value === "string" && value.length > MAX_TEXT_LENGTH)
      line[field] = `${value.slice(0, MAX_TEXT_LENGTH)}…`;
    else if (Array.isArray(value) && value.length > MAX_ENTRIES) line[field] = value.slice(0, MAX_ENTRIES);
  }
  return line;
}

let written = { at: Number.NaN, text: "" };

/** The field `time` of a line, made once for all lines of a millisecond. perf: docs/performance.md#same-millisecond */
function timestamp(): string {
  const at = systemClock.now();
  if (at !== written.at) written = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return written.text;
}

/** JSON lines: `time` in RFC 3339, `level` as a word. Logged fields are chosen one by one in this folder. */
export function createLogger({ level, traceId, sink, onLost }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp,
      formatters: { level: (label) => ({ level: label }), log: bounded },
      mixin: () => ({ trace_id: traceId() }),
      // Every line is a new object made in this folder, so it is extended in place instead of copied.
      // perf: docs/performance.md#lines-in-place
      mixinMergeStrategy: (line, mixed) => Object.assign(line, mixed),
    },
    sink ?? createStandardOutput(onLost ?? (() => undefined)),
  );
}

/**
 * An error for the log: our own by its message, a foreign one by class and code, since its message could
 * contain anything.
 */
export function errorFields(error: unknown): Readonly<Record<string, string>> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: "unknown" };
  if (error instanceof UpstreamError || error instanceof OperatorError) return { error: error.message };
  if (error instanceof StoreError) return { error: error.message, code: error.code };
  const { code } = error as NodeJS.ErrnoException;
  return { error: error.name, ...(typeof code === "string" && { code }) };
}

/** As `errorFields`, with the stack: for unexpected errors. */
export function errorFieldsWithStack(error: unknown) {
  return { ...errorFields(error), ...(error instanceof Error && { stack: stackFrames(error) }) };
}

/** An error's stack frames, without its message. */
export function stackFrames(error: Error): string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}

/**
 * Detects when something starts failing and when it recovers, so that each change is logged once, not every
 * use.
 */
export function createEdgeDetector() {
  let works = true;
  return {
    changes(ok: boolean): boolean {
      const changed = ok !== works;
      works = ok;
      return changed;
    },
  };
}
