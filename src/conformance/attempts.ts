import { type Lab, personOf, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

const isWord = (text: string, min: number, max: number) =>
  text.length >= min && text.length <= max && /^[0-9A-Za-z]*$/.test(text);

/** Requirements of each start of the SDK (protocol.md 3 to 5, 7.1). */
export const attempts = {
  launch_starts_the_sdk: {
    text: "the parameters of /get_face_params start the SDK",
    async examine(lab: Lab): Promise<RuleFinding> {
      // A backend that has just started may still be fetching its first token.
      let evidence = "";
      const ok = await lab.eventually(async () => {
        evidence = await lab.launch().then(
          async (launch) => `the SDK's login answered ${await lab.play(launch)}`,
          (error: Error) => error.message,
        );
        return evidence.endsWith(" 0");
      });
      return { ok, evidence };
    },
  },
  one_nonce_ticket_per_launch: {
    text: "every launch is signed with a NONCE ticket of its own",
    async examine(lab: Lab): Promise<RuleFinding> {
      const before = lab.calls().nonce_ticket;
      const codes: string[] = [];
      for (let i = 0; i < 2; i++) {
        // Beyond the vendor's limit of one ticket in two seconds.
        lab.sandbox.advance(3_000);
        codes.push(await lab.play(await lab.launch(personOf("no_face"))));
      }
      const taken = lab.calls().nonce_ticket - before;
      const reused = lab.breaches("nonce_ticket_used").length;
      return {
        ok: taken >= 2 && reused === 0 && codes.every((code) => code === "0"),
        evidence: `2 launches of one person: ${taken} tickets, logins ${codes.join(" and ")}`,
      };
    },
  },
  double_tap: {
    text: "two launches of one person at once both work, or one is told to wait (HTTP 429)",
    async examine(lab: Lab): Promise<RuleFinding> {
      const person = personOf("blurred");
      const answers = await Promise.all([1, 2].map(() => lab.backend.getFaceParams(person)));
      const statuses = answers.map(({ status }) => status);
      const tooFrequent = lab.breaches("nonce_too_frequent").length;
      return {
        ok: statuses.includes(200) && statuses.every((status) => status === 200 || status === 429),
        evidence: `HTTP ${statuses.join(" and ")}; the vendor found ${tooFrequent} ticket calls too frequent`,
      };
    },
  },
  nonce_never_reused: {
    text: "nonces are 32 letters and digits, and never come twice",
    async examine(lab: Lab): Promise<RuleFinding> {
      for (const scenario of ["occluded", "busy", "slow_media"]) await lab.launch(personOf(scenario));
      const nonces = lab.launches.map(({ nonce }) => nonce);
      const malformed = nonces.filter((nonce) => !isWord(nonce, 32, 32)).length;
      const twice = nonces.length - new Set(nonces).size;
      const seen = lab.breaches("nonce_reused", "nonce_format").length;
      return {
        ok: malformed === 0 && twice === 0 && seen === 0,
        evidence: `${nonces.length} launches: ${malformed} malformed, ${twice} repeated; the vendor saw ${seen} more`,
      };
    },
  },
  order_no_per_attempt: {
    text: "every attempt has an order number of its own, 1 to 32 letters and digits",
    async examine(lab: Lab): Promise<RuleFinding> {
      const numbers = lab.launches.map(({ orderNo }) => orderNo);
      const malformed = numbers.filter((orderNo) => !isWord(orderNo, 1, 32)).length;
      const twice = numbers.length - new Set(numbers).size;
      const seen = lab.breaches("order_no_reused", "order_no_format").length;
      return {
        ok: malformed === 0 && twice === 0 && seen === 0,
        evidence: `${numbers.length} attempts: ${malformed} malformed, ${twice} repeated; the vendor saw ${seen} more`,
      };
    },
  },
  user_id_per_person: {
    text: "a person keeps one user id, and shares it with nobody",
    async examine(lab: Lab): Promise<RuleFinding> {
      lab.sandbox.advance(3_000);
      const repeated = await lab.launch(personOf("passed"));
      const other = await lab.launch(personOf("not_same_person"));
      const same = lab.launches[0]?.userId === repeated.userId;
      const shared = repeated.userId === other.userId;
      return {
        ok: same && !shared && isWord(repeated.userId, 1, 32),
        evidence: `${same ? "one" : "another"} id for a person who comes back, ${shared ? "the same" : "another"} for somebody else`,
      };
    },
  },
} satisfies Record<string, ConformanceRule>;
