import { closeSync, openSync, writeFileSync } from "node:fs";
import type { Part } from "../lib/lifecycle.ts";

/** One verification attempt or one result (docs/audit.md). A field not listed here cannot be written. */
export interface AuditLine {
  time: string;
  /** `attempt` for GetFaceParams, `result` for GetResult. */
  event: "attempt" | "result";
  request_id: string;
  /** The caller's name; "" if no caller was admitted. */
  caller: string;
  peer: string;
  door: string;
  order_no?: string | undefined;
  /** Keyed hash of the ID number; only on attempts. */
  person?: string | undefined;
  /** OK or the reason of the error. */
  outcome: string;
  verdict?: string | undefined;
  /** The vendor's code and serial number. */
  code?: string | undefined;
  biz_seq_no?: string | undefined;
  billed: boolean;
  livemode: boolean;
}

/** The append-only audit trail. */
export interface Audit extends Required<Part> {
  /** Throws if the line could not be written. */
  write(line: AuditLine): void;
  /** Reopens the file after log rotation. On failure throws and keeps writing to the old file. */
  reopen(): void;
}

/**
 * `destination`: a file, or `stderr`. Writes synchronously: the operating system has
 * the line before the response leaves, so a crash of the process loses none.
 */
export function createAudit(destination: string): Audit {
  const open = () => (destination === "stderr" ? 2 : openSync(destination, "a", 0o600));
  const close = (fd: number | undefined) => {
    if (fd !== undefined && fd > 2) closeSync(fd);
  };
  let fd: number | undefined;
  let torn = false;

  return {
    async start() {
      fd = open();
    },
    async stop() {
      close(fd);
      fd = undefined;
    },
    write(line) {
      if (fd === undefined) return;
      // A full disk may leave a partial line; the next line must not be appended to it.
      const text = `${torn ? "\n" : ""}${JSON.stringify(line)}\n`;
      torn = true;
      writeFileSync(fd, text);
      torn = false;
    },
    reopen() {
      const fresh = open();
      close(fd);
      fd = fresh;
    },
  };
}
