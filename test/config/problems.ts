import { type Config, ConfigError, readConfig } from "../../src/config/config.ts";

const BASE = { FACEID_APP_ID: "IDAXXXXX", FACEID_SECRET: "secret" };

/** The configuration of a start that sets these beside what it must. */
export const configOf = (env: Record<string, string>): Config => readConfig({ ...BASE, ...env }, () => "");

/** What is wrong with it; none where it can be started with. */
export function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    configOf(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}
