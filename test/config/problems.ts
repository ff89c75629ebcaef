import { type Config, ConfigError, readConfig } from "../../src/config/config.ts";

const BASE = { FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret" };

/** The configuration with these variables in addition to the required ones. */
export const configOf = (env: Record<string, string>): Config => readConfig({ ...BASE, ...env }, () => "");

/** The problems of that configuration; none if it is valid. */
export function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    configOf(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}
