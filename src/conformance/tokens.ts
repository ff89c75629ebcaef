import { SCENARIOS } from "../sandbox/vendor/scenarios.ts";
import { isSuccess } from "./backend.ts";
import { type Lab, personOf, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

/** Long enough for token calls to overlap if they can, milliseconds. */
const LATENCY_MS = 100;

/** The access token and the SIGN ticket (protocol.md 1, 2). */
export const tokens = {
  token_not_per_request: {
    text: "requests share one access token and one SIGN ticket",
    async examine(lab: Lab): Promise<RuleFinding> {
      const before = lab.calls();
      for (const scenario of ["passed", "not_same_person", "no_face", "blurred", "occluded"]) {
        lab.sandbox.advance(3_000);
        const launch = await lab.launch(personOf(scenario));
        await lab.play(launch);
        await lab.backend.getResult(launch.orderNo);
      }
      const after = lab.calls();
      const [tokenCalls, signCalls] = [
        after.access_token - before.access_token,
        after.sign_ticket - before.sign_ticket,
      ];
      return {
        // One scheduled refresh may happen meanwhile.
        ok: tokenCalls <= 1 && signCalls <= 1,
        evidence: `10 requests: ${tokenCalls} token calls, ${signCalls} SIGN ticket calls`,
      };
    },
  },
  survives_a_revoked_token: {
    text: "after the vendor has revoked every token, launches work again without anybody's help",
    async examine(lab: Lab): Promise<RuleFinding> {
      const before = lab.calls().access_token;
      const startedAt = lab.clock.monotonic();
      const scenarios = SCENARIOS.filter(({ at }) => at === "query");
      lab.sandbox.latencyMs = LATENCY_MS;
      const ok = await lab.excusing(["token_dead", "sign_ticket_dead", "nonce_too_frequent"], async () => {
        lab.sandbox.revoke();
        // All calls notice at once.
        const requests = scenarios.map(({ name }) =>
          lab.backend.getFaceParams(personOf(name)).catch(() => undefined),
        );
        await Promise.all(requests);
        return lab.eventually(async () => {
          lab.sandbox.advance(3_000);
          const launch = await lab.launch();
          await lab.play(launch);
          return isSuccess(await lab.backend.getResult(launch.orderNo));
        });
      });
      lab.sandbox.latencyMs = 0;
      const seconds = ((lab.clock.monotonic() - startedAt) / 1000).toFixed(1);
      const taken = lab.calls().access_token - before;
      return {
        ok,
        evidence: ok
          ? `passed again after ${seconds} s and ${taken} token calls`
          : `nothing passes after ${seconds} s and ${taken} token calls`,
      };
    },
  },
  no_overlapping_refresh: {
    text: "no token or SIGN ticket is fetched while another is being fetched, even when everybody notices at once",
    async examine(lab: Lab): Promise<RuleFinding> {
      const { maxTokenCallsInFlight } = lab.sandbox.stats;
      const tickets = lab.breaches("overlapping_sign_ticket").length;
      return {
        ok: maxTokenCallsInFlight <= 1 && tickets === 0,
        evidence: `at most ${maxTokenCallsInFlight} token calls at once, ${tickets} SIGN ticket calls beside another`,
      };
    },
  },
} satisfies Record<string, ConformanceRule>;
