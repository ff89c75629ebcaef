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

/**
 * The command line of a script, with `--help`: prints the usage and ends the process, with 0 if asked, or with 2 for an
 * unknown option, or one of `numbers` that is no positive number.
 */
export function scriptOptions<const T extends ParseArgsConfig & { options: object }>(
  config: T,
  usage: string,
  numbers: readonly string[],
) {
  try {
    const options = { ...config.options, help: { type: "boolean" } } as T["options"] & {
      help: { type: "boolean" };
    };
    const parsed = parseCommandLine({ ...config, options }, usage);
    const values = parsed.values as Readonly<Record<string, unknown>>;
    if (values["help"]) throw new UsageError(usage);
    const isWrong = (value: unknown) => value !== undefined && !(Number(value) > 0);
    const wrong = numbers.find((name) => [values[name]].flat().some(isWrong));
    if (wrong !== undefined) throw new UsageError(`--${wrong} must be a number above 0\n\n${usage}`);
    return parsed;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return process.exit(process.argv.includes("--help") ? 0 : 2);
  }
}
