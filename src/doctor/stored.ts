import type { Secret } from "../lib/redacted.ts";
import type { IssuedPair } from "../tickets/pair.ts";
import type { Sealer } from "../tickets/sealer.ts";
import type { SharedState } from "../tickets/shared-state.ts";
import { type Check, checksFor, codeOf, seconds } from "./check.ts";

/** The running processes' pair, as stored. */
export type Stored =
  | { kind: "pair"; generation: number; ageMs: number; leftMs: number; issued: IssuedPair }
  | { kind: "empty" }
  | { kind: "unreadable"; why: string }
  | { kind: "away"; code: string };

export interface StoredParts {
  register: Pick<SharedState, "read">;
  sealer: Pick<Sealer, "open">;
  readPair: (text: string) => IssuedPair | undefined;
}

/** Reads the pair without changing anything. Never rejects. */
export async function readStored({ register, sealer, readPair }: StoredParts): Promise<Stored> {
  try {
    const { state, now, flaw } = await register.read();
    if (flaw) return { kind: "unreadable", why: flaw };
    const { published } = state;
    if (!published) return { kind: "empty" };
    const { generation, sealed, at } = published;
    const opened = sealer.open(sealed, { generation, kind: "pair" });
    const issued = opened.ok ? readPair(opened.plain) : undefined;
    if (!issued) return { kind: "unreadable", why: opened.ok ? "format" : opened.why };
    const expiresAt = Math.min(issued.issuedAt + issued.lifeMs, issued.signIssuedAt + issued.signLifeMs);
    return { kind: "pair", generation, ageMs: Math.max(0, now - at), leftMs: expiresAt - now, issued };
  } catch (error) {
    return { kind: "away", code: codeOf(error) };
  }
}

const WHY: Readonly<Record<string, [detail: string, cure: string]>> = {
  secret: [
    "sealed with a key of another secret",
    "FACEID_SECRET here is not that of the running processes: docs/runbook.md, secret rotation",
  ],
  key: [
    "sealed with a key that is not in STORE_KEYS",
    "give all processes all keys: docs/runbook.md, unreadable record",
  ],
  newer: ["written by a later release", "use that release everywhere: docs/runbook.md, unreadable record"],
};

/** Describes the stored pair by generation, age and remaining lifetime, never by its values. */
export function checkStored(stored: Stored, secretIds: readonly string[], intervalMs: number): Check[] {
  const { ok, warn, fail } = checksFor("stored pair");
  switch (stored.kind) {
    case "away":
      return [fail(`the store cannot be read (${stored.code})`, "look at the checks of the store")];
    case "empty":
      return [
        warn(
          "there is none: nobody refreshes here",
          "start the service; or, when nothing else uses this WBappid, run the doctor with --allow-token-call",
        ),
      ];
    case "unreadable": {
      const [detail, cure] = WHY[stored.why] ?? [
        `damaged (${stored.why})`,
        "the service replaces it at its next refresh",
      ];
      return [fail(detail, cure)];
    }
    case "pair": {
      const { generation, ageMs, leftMs, issued } = stored;
      const detail = `generation ${generation}, ${seconds(ageMs)} old, ends in ${seconds(Math.max(0, leftMs))}`;
      const overdue = "nobody refreshes: docs/runbook.md, refresh failing";
      return [
        leftMs <= 0 ? fail(detail, overdue) : ageMs > intervalMs * 1.25 ? warn(detail, overdue) : ok(detail),
        secretIds.includes(issued.secretId)
          ? checksFor("secret").ok("FACEID_SECRET is the one that fetched this pair")
          : checksFor("secret").fail(
              "this pair was fetched with another secret",
              "check FACEID_SECRET: docs/runbook.md, secret rotation",
            ),
      ];
    }
  }
}

/** The stored pair, if it has not expired. */
export const usable = (stored: Stored): { accessToken: Secret; signTicket: Secret } | undefined =>
  stored.kind === "pair" && stored.leftMs > 0 ? stored.issued : undefined;
