import { findingOf, type Lab, notExamined, personOf, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

/** The access token and the SIGN ticket (protocol.md 1, 2). */
export const tokens = {
  token_not_per_request: {
    text: "requests share one access token and one SIGN ticket",
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      const before = lab.calls();
      for (const scenario of ["passed", "not_same_person", "no_face", "blurred", "occluded"]) {
        lab.sandbox.advance(3_000);
        const { orderNo } = await lab.attempt(personOf(scenario));
        await lab.backend.getResult(orderNo);
      }
      const after = lab.calls();
      const tokenCalls = after.access_token - before.access_token;
      const signCalls = after.sign_ticket - before.sign_ticket;
      const evidence = `10 requests: ${tokenCalls} token calls, ${signCalls} SIGN ticket calls`;
      // One scheduled refresh may happen meanwhile.
      return findingOf(tokenCalls <= 1 && signCalls <= 1 ? [] : [evidence], evidence);
    },
  },
  survives_a_revoked_token: {
    text: "after the vendor has revoked every token, launches work again without anybody's help",
    needs: "verdict",
    async examine(lab: Lab): Promise<RuleFinding> {
      const { passed, seconds, tokenCalls } = await lab.revoke();
      return findingOf(
        passed ? [] : [`nothing passes after ${seconds} s and ${tokenCalls} token calls`],
        `passed again after ${seconds} s and ${tokenCalls} token calls`,
      );
    },
  },
  no_overlapping_refresh: {
    text: "no token or SIGN ticket is fetched while another is being fetched, even when everybody notices at once",
    needs: "verdict",
    async examine(lab: Lab): Promise<RuleFinding> {
      const { tokenCalls } = await lab.revoke();
      if (tokenCalls === 0)
        return notExamined("the backend fetched no new token, although its own was revoked");
      const { maxTokenCallsInFlight } = lab.sandbox.stats;
      const tickets = lab.breaches("overlapping_sign_ticket").length;
      const evidence = `at most ${maxTokenCallsInFlight} token calls at once, ${tickets} SIGN ticket calls beside another`;
      return findingOf(maxTokenCallsInFlight <= 1 && tickets === 0 ? [] : [evidence], evidence);
    },
  },
} satisfies Record<string, ConformanceRule>;
