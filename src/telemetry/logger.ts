import pino, { type DestinationStream, type Logger } from "pino";
import { OperatorError, StoreError, UpstreamError } from "../errors.ts";
import { createStandardOutput } from "./standard-output.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LoggerOptions {
  level: LogLevel;
  /** The trace that a line belongs to. */
  traceId: () => string | undefined;
  /** Standard output unless given. Lines are written behind the calls' backs and in full before the process exits. */
  sink?: DestinationStream | undefined;
  /** A line that was dropped, because too many are waiting for a disk that is full or a reader that does not read. */
  onLost?: () => void;
}

/**
 * Longest text of a field and most entries of a list in a line. Everything that is logged is short by its own rule; this holds
 * where one is missing, so that no client and no vendor can write the log full.
 */
const TEXT_LENGTH = 2_048;
const ENTRIES = 32;

function bounded(line: Record<string, unknown>): Record<string, unknown> {
  for (const field in line) {
    const value = line[field];
    if (typeof value === "string" && value.length > TEXT_LENGTH)
      line[field] = `${value.slice(0, TEXT_LENGTH)}…`;
    else if (Array.isArray(value) && value.length > ENTRIES) line[field] = value.slice(0, ENTRIES);
  }
  return line;
}

/** JSON lines: `time` in RFC 3339, `level` as a word. What is logged is chosen field by field in this folder. */
export function createLogger({ level, traceId, sink, onLost }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: bounded },
      mixin: () => ({ trace_id: traceId() }),
      // A line is a new object of this folder's making, so it may be added to instead of copied.
      mixinMergeStrategy: (line, mixed) => Object.assign(line, mixed),
    },
    sink ?? createStandardOutput(onLost ?? (() => undefined)),
  );
}

/** An error for the log: ours by its text, a stranger's by class and code only, since its message may hold anything. */
export function errorFields(error: unknown): Readonly<Record<string, string>> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: "unknown" };
  if (error instanceof UpstreamError || error instanceof OperatorError) return { error: error.message };
  if (error instanceof StoreError) return { error: error.message, code: error.code };
  const { code } = error as NodeJS.ErrnoException;
  return { error: error.name, ...(typeof code === "string" && { code }) };
}

/** As `brief`, with where it came from: for errors that nobody expected. */
export function errorFieldsWithStack(error: unknown) {
  return { ...errorFields(error), ...(error instanceof Error && { stack: stackFrames(error) }) };
}

/** Where an error came from, without its message. */
export function stackFrames(error: Error): string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}

/** Tells when something that works ceases to, and when it works again: each is worth one line, however often it is used. */
export function createFlank() {
  let works = true;
  return {
    changes(ok: boolean): boolean {
      const changed = ok !== works;
      works = ok;
      return changed;
    },
  };
}
