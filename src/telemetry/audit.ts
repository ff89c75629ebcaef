import { closeSync, openSync, writeFileSync } from "node:fs";
import type { Part } from "../lib/lifecycle.ts";

/** One verification attempt or one result (docs/audit.md). A field that is not listed here cannot be written. */
export interface AuditLine {
  time: string;
  /** `attempt` for GetFaceParams, `result` for GetResult. */
  event: "attempt" | "result";
  request_id: string;
  /** Who asked; "" when nobody was admitted. */
  caller: string;
  peer: string;
  door: string;
  order_no?: string | undefined;
  /** Keyed hash of the ID number, on attempts. */
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

/** The audit trail: appended to, and nothing else. */
export interface Audit extends Required<Part> {
  /** Throws when the line could not be written. */
  write(line: AuditLine): void;
  /** Opens the file anew after it was rotated; throws, and goes on with the old one, when that fails. */
  reopen(): void;
}

/**
 * `destination`: a file, `stderr`, or undefined for no trail. Written synchronously: the line is with the operating system
 * before the answer leaves, and a crash loses none.
 */
export function createAudit(destination: string | undefined): Audit {
  const open = () => (destination === "stderr" ? 2 : openSync(destination ?? "", "a", 0o600));
  const close = (fd: number | undefined) => {
    if (fd !== undefined && fd > 2) closeSync(fd);
  };
  let fd: number | undefined;
  let torn = false;

  return {
    async start() {
      if (destination !== undefined) fd = open();
    },
    async stop() {
      close(fd);
      fd = undefined;
    },
    write(line) {
      if (fd === undefined) return;
      // A disk that fills up takes the beginning of a line; the next one must not be read as its end.
      const text = `${torn ? "\n" : ""}${JSON.stringify(line)}\n`;
      torn = true;
      writeFileSync(fd, text);
      torn = false;
    },
    reopen() {
      if (destination === undefined) return;
      const fresh = open();
      close(fd);
      fd = fresh;
    },
  };
}
