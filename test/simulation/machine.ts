import type { Processes } from "../../src/tickets/processes.ts";
import type { ProcessLife } from "./node.ts";

/** A kernel that processes share: each of them can see which of the others are dead. */
export class Machine {
  readonly #lives = new Map<string, ProcessLife>();

  /** What the newcomer sees of the others. */
  join(life: ProcessLife): Processes {
    this.#lives.set(life.name, life);
    return { own: life.name, isDead: (name) => this.#lives.get(name)?.dead };
  }
}
