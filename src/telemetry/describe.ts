import { OperatorError, StoreError, UpstreamError } from "../errors.ts";

/** An error for the log: ours by its text, a stranger's by class and code only, since its message may hold anything. */
export function brief(error: unknown): Readonly<Record<string, string>> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: "unknown" };
  if (error instanceof UpstreamError || error instanceof OperatorError) return { error: error.message };
  if (error instanceof StoreError) return { error: error.message, code: error.code };
  const { code } = error as NodeJS.ErrnoException;
  return { error: error.name, ...(typeof code === "string" && { code }) };
}

/** As `brief`, with where it came from: for errors that nobody expected. */
export function describe(error: unknown) {
  return { ...brief(error), ...(error instanceof Error && { stack: frames(error) }) };
}

/** Where an error came from, without its message. */
export function frames(error: Error): string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}
