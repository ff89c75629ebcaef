import type { Opened } from "./sealer.ts";

/** Why the stored pair, or the whole stored state, cannot be used; `expired`: by our reckoning it has ended. */
export type Obstacle = Exclude<Opened, { ok: true }>["why"] | "expired" | "newer" | "corrupt";

/** The same for the person who has to do something about it. */
export const OBSTACLES: Readonly<Record<Obstacle, string>> = {
  key: "the stored ticket pair is sealed with a key that STORE_KEYS of this process lacks",
  secret: "the stored ticket pair is sealed with a key derived from another secret",
  tag: "the stored ticket pair is damaged, or its key is another one of the same name",
  format: "the stored ticket pair is of an unknown form",
  expired: "the stored ticket pair has expired",
  newer: "the stored state is of a later release, which this one leaves alone",
  corrupt: "the stored state is damaged",
};
