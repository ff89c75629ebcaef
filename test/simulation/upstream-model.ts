import { codeEntry } from "../../src/domain/codes.ts";
import { UpstreamError } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import type { World } from "./world.ts";

interface Token {
  number: number;
  issuedAt: number;
  diesAt: number;
}

/** The vendor's rules in virtual time (protocol.md 1, 2): a new token leaves the one before it an overlap, tickets die with their token. */
export class UpstreamModel {
  readonly #world: World;
  readonly #overlapMs: number;
  readonly #tokens = new Map<string, Token>();
  readonly #ticketOwners = new Map<string, string>();
  #latest: Token | undefined;
  #inFlight = 0;
  /** Token calls that arrived, and how many met another one under way. */
  tokenCalls = 0;
  overlaps = 0;
  /** The token endpoint is down until then; `how` it fails. */
  downUntil = 0;
  downHow: "not_sent" | "status" = "status";
  /** The only secret it takes; undefined for any. */
  secret: string | undefined;

  constructor(world: World, overlapMs: number) {
    this.#world = world;
    this.#overlapMs = overlapMs;
  }

  get down(): boolean {
    return this.#world.now < this.downUntil;
  }

  /** A token call arrives; call `end` when its reply leaves. */
  begin(): void {
    this.tokenCalls++;
    if (this.#inFlight > 0) this.overlaps++;
    this.#inFlight++;
  }

  end(): void {
    this.#inFlight--;
  }

  /** Throws for a secret that it does not take. */
  issueToken(secret?: Secret): { value: Secret; lifeMs: number } {
    if (secret && this.secret !== undefined && secret.reveal() !== this.secret) {
      throw new UpstreamError("access_token", "code", { entry: codeEntry("400101") });
    }
    const { now } = this.#world;
    const previous = this.#latest;
    if (previous) previous.diesAt = Math.min(previous.diesAt, now + this.#overlapMs);
    const token = { number: (previous?.number ?? 0) + 1, issuedAt: now, diesAt: now + 7_200_000 };
    this.#latest = token;
    const value = `token-${token.number}`;
    this.#tokens.set(value, token);
    this.#world.trace(`upstream issued ${value}`);
    return { value: new Secret(value), lifeMs: 7_200_000 };
  }

  issueTicket(accessToken: Secret): { value: Secret; lifeMs: number } {
    const owner = accessToken.reveal();
    if (!this.isAlive(owner)) throw new UpstreamError("sign_ticket", "code", { entry: codeEntry("400103") });
    const value = `sign-of-${owner}-${this.#ticketOwners.size}`;
    this.#ticketOwners.set(value, owner);
    return { value: new Secret(value), lifeMs: 3_600_000 };
  }

  isAlive(token: string): boolean {
    return this.#world.now < (this.#tokens.get(token)?.diesAt ?? 0);
  }

  isLatest(token: string): boolean {
    return this.#tokens.get(token) === this.#latest;
  }

  get latestAgeMs(): number {
    return this.#world.now - (this.#latest?.issuedAt ?? 0);
  }

  ownerOf(ticket: string): string | undefined {
    return this.#ticketOwners.get(ticket);
  }

  /** Kills every token, as a change of the secret does. */
  revoke(): void {
    for (const token of this.#tokens.values()) token.diesAt = Math.min(token.diesAt, this.#world.now);
    this.#world.trace("upstream revoked every token");
  }
}
