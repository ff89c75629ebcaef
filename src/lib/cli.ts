import { type ParseArgsConfig, parseArgs } from "node:util";

/** An invalid command line, or a request for help; the message is what to print. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** `parseArgs` of node:util; throws its error as a `UsageError` followed by the usage text. */
export function parseCommandLine<const T extends ParseArgsConfig>(config: T, usage: string) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}
