import { inspect } from "node:util";

/**
 * A value that must not leave by accident: it prints as a mask in JSON, in template strings, in `inspect` and so in
 * logs and errors. Only `reveal()` gives the value, which makes every use of it easy to find.
 */
export abstract class Redacted<T> {
  /** What kind of value this is; also keeps one kind from being taken for another. */
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

/** Whatever says who somebody is: name, ID number, photo, video. */
export class Pii<T = string> extends Redacted<T> {
  readonly kind = "pii";
}

/** Whatever opens a door: app secret, token, ticket, bearer token. */
export class Secret extends Redacted<string> {
  readonly kind = "secret";
}
