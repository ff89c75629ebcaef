/** The result of one check. `skip`: it could not be run, or its subject is not used. */
export type CheckStatus = "ok" | "warn" | "fail" | "skip";

/** One line of the doctor's table. Never contains secrets or personal data. */
export interface Check {
  check: string;
  status: CheckStatus;
  detail: string;
  /** What to do about it. */
  cure?: string;
}

/** Creates the lines of one check. */
export const checksFor = (check: string) => ({
  ok: (detail: string): Check => ({ check, status: "ok", detail }),
  skip: (detail: string): Check => ({ check, status: "skip", detail }),
  warn: (detail: string, cure: string): Check => ({ check, status: "warn", detail, cure }),
  fail: (detail: string, cure: string): Check => ({ check, status: "fail", detail, cure }),
});

/**
 * An error's code, or else its class: third-party messages may contain anything, even URLs with passwords.
 */
export function codeOf(error: unknown): string {
  const { code, cause, name } = (error ?? {}) as { code?: unknown; cause?: unknown; name?: string };
  if (typeof code === "string") return code;
  return cause instanceof Error ? codeOf(cause) : (name ?? "error");
}

export const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

const DAY_MS = 86_400_000;
export const days = (ms: number): string => `${Math.floor(ms / DAY_MS)} days`;
