import { inspect } from "node:util";

/**
 * A value that must not leave by accident: it prints as a mask in JSON, in template strings, in `inspect` and so in
 * logs and errors. Only `reveal()` gives the value, which makes every use of it easy to find.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
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
