import { inspect } from "node:util";

/**
 * A value that must not leak by accident: it prints as a mask in JSON, template strings and `inspect`, and so in logs and
 * errors. Only `reveal()` returns the value, which makes every use easy to find.
 */
export abstract class Redacted<T> {
  /** The kind of value; also keeps TypeScript from accepting one kind for another. */
  abstract readonly kind: string;
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

/** Personal data: name, ID number, photo, video. */
export class Pii<T = string> extends Redacted<T> {
  readonly kind = "pii";
}

/** A credential: app secret, token, ticket, bearer token. */
export class Secret extends Redacted<string> {
  readonly kind = "secret";
}
