import { networkInterfaces } from "node:os";
import { isLoopback } from "../../lib/environment.ts";
import { createRandomText } from "../random.ts";
import { sameText } from "../vendor/verify.ts";

/** Lets devices of the local network in, one per code. */
export interface Pairing {
  /** The next device's code; undefined after too many wrong ones, until `renew`. */
  code(): string | undefined;
  /** Uses up the code; returns the device's token, or undefined for a wrong code. */
  pair(code: string, device: string): string | undefined;
  isPaired(token: string): boolean;
  /** Another code, in place of the current one. */
  renew(): void;
  /** Calls `listener` with each paired device's address. */
  onPaired(listener: (device: string) => void): void;
}

const CODE_DIGITS = 8;
const TOKEN_LENGTH = 32;
/** Wrong codes after which pairing ends: with 8 digits, guessing succeeds once in five million times. */
const MAX_WRONG = 20;

/** Its codes come from the CSPRNG even where a seed makes everything else repeatable. */
export function createPairing(): Pairing {
  const text = createRandomText();
  const tokens = new Set<string>();
  const listeners: ((device: string) => void)[] = [];
  let code: string | undefined = text(CODE_DIGITS, "digits");
  let wrong = 0;
  return {
    code: () => code,
    pair(given, device) {
      if (code === undefined || !sameText(given, code)) {
        wrong += 1;
        if (wrong >= MAX_WRONG) code = undefined;
        return undefined;
      }
      const token = text(TOKEN_LENGTH);
      tokens.add(token);
      this.renew();
      for (const listener of listeners) listener(device);
      return token;
    },
    isPaired: (token) => tokens.has(token),
    renew() {
      code = text(CODE_DIGITS, "digits");
      wrong = 0;
    },
    onPaired: (listener) => void listeners.push(listener),
  };
}

/** Whether a connection comes from this machine, by loopback or by an address of its own. */
export function isFromHere({ remoteAddress = "", localAddress }: Peer): boolean {
  return isLoopback(remoteAddress.replace(/^::ffff:/, "")) || remoteAddress === localAddress;
}

interface Peer {
  remoteAddress?: string | undefined;
  localAddress?: string | undefined;
}

const WILDCARDS = ["0.0.0.0", "::"];

/** The host by which this machine reaches a listener at `host`. */
export const ownHost = (host: string): string => (WILDCARDS.includes(host) ? "127.0.0.1" : host);

/** The host by which a phone reaches a listener at `host`: for a wildcard, the first IPv4 address of a network. */
export function networkHost(host: string): string {
  if (!WILDCARDS.includes(host)) return host;
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? ownHost(host);
}

/** A base URL without a trailing slash. */
export const urlOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
