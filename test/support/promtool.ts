import { execFileSync } from "node:child_process";

/** What promtool has against an exposition in the text format; "" when nothing. */
export function promtoolFindings(text: string): string {
  try {
    return execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message: string };
    return `${stdout ?? ""}${stderr ?? ""}` || message;
  }
}

/** Why promtool cannot be used here, said once on the console; undefined if it can. With REQUIRE_ALL=1 a skip is a failure. */
export function missingPromtool(): string | undefined {
  try {
    execFileSync("promtool", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    const reason = "no promtool: RUNLEVEL=1 apt-get install -y --no-install-recommends prometheus";
    if (process.env["REQUIRE_ALL"] === "1") throw new Error(`REQUIRE_ALL=1, but ${reason}`);
    console.log(`skipped: ${reason}`);
    return reason;
  }
}
