import { eventually, type Harness } from "../support/harness.ts";

/** Resolves once the first pair is in the store; the service uses it a little earlier. */
export const committed = (harness: Harness): Promise<void> =>
  eventually(() =>
    harness.logs.some(({ event, outcome }) => event === "refresh_finished" && outcome === "ok"),
  );
