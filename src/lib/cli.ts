import { type ParseArgsConfig, parseArgs } from "node:util";

/** The command line cannot be used, or asks for help; the message is what to print. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** `parseArgs` of node:util; what it refuses is a `UsageError` with the usage below. */
export function parseCommandLine<const T extends ParseArgsConfig>(config: T, usage: string) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}
