import { launchFields } from "../sandbox/vendor/sdk.ts";
import { describeAnswer, isSuccess } from "./backend.ts";
import { findingOf, type Lab, notExamined, personOf, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

const isWord = (text: string, min: number, max: number) =>
  text.length >= min && text.length <= max && /^[0-9A-Za-z]*$/.test(text);

/** Requirements of each start of the SDK (protocol.md 3 to 5, 7.1). */
export const attempts = {
  launch_starts_the_sdk: {
    text: "the parameters of /get_face_params start the SDK",
    needs: "launch",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const lack = await lab.lacks("launch");
      return findingOf(lack === undefined ? [] : [lack], "the SDK's login answered 0");
    },
  },
  one_nonce_ticket_per_launch: {
    text: "every launch is signed with a NONCE ticket of its own",
    needs: "launch",
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
      const evidence = `2 launches of one person: ${taken} tickets, logins ${codes.join(" and ")}`;
      if (taken < 2 || reused > 0) return findingOf([evidence], "");
      return codes.every((code) => code === "0") ? findingOf([], evidence) : notExamined(evidence);
    },
  },
  double_tap: {
    text: "two launches of one person at once both work, or one is told to wait (HTTP 429)",
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      lab.sandbox.advance(3_000);
      const person = personOf("blurred");
      const answers = await Promise.all([1, 2].map(() => lab.backend.getFaceParams(person)));
      const launched = answers.filter(isSuccess);
      // The two may be the same launch, which starts the SDK once.
      const orders = new Map(launched.map((answer) => [launchFields(answer.json).orderNo ?? "", answer]));
      const logins: string[] = [];
      for (const [orderNo, answer] of orders) {
        logins.push(await lab.play({ orderNo, answer, nonce: "", userId: "" }));
      }
      const others = answers.filter((answer) => !isSuccess(answer));
      const wrong = [
        ...(launched.length === 0 ? ["neither works"] : []),
        ...others.filter(({ status }) => status !== 429).map(describeAnswer),
        ...logins.filter((code) => code !== "0").map((code) => `the SDK's login answered ${code}`),
      ];
      if (lab.breaches("nonce_reused", "order_no_reused").length > 0) {
        return notExamined("nonces or order numbers come twice anyway");
      }
      const evidence = answers.map(({ status }) => `HTTP ${status}`).join(" and ");
      return findingOf(wrong, `${evidence}, logins ${logins.join(" and ")}`);
    },
  },
  nonce_never_reused: {
    text: "nonces are 32 letters and digits, and never come twice",
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      for (const scenario of ["occluded", "busy", "slow_media"]) await lab.launch(personOf(scenario));
      const nonces = lab.launches.map(({ nonce }) => nonce);
      const malformed = nonces.filter((nonce) => !isWord(nonce, 32, 32)).length;
      const twice = nonces.length - new Set(nonces).size;
      const seen = lab.breaches("nonce_reused", "nonce_format").length;
      const evidence = `${nonces.length} launches: ${malformed} malformed, ${twice} repeated; the vendor saw ${seen} more`;
      return findingOf(malformed + twice + seen === 0 ? [] : [evidence], evidence);
    },
  },
  order_no_per_attempt: {
    text: "every attempt has an order number of its own, 1 to 32 letters and digits",
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      let refusal = "";
      for (let i = 0; i < 2; i++) {
        lab.sandbox.advance(3_000);
        await lab.launch().catch((error: Error) => {
          refusal = error.message;
        });
      }
      const numbers = lab.launches.map(({ orderNo }) => orderNo);
      const malformed = numbers.filter((orderNo) => !isWord(orderNo, 1, 32)).length;
      const twice = numbers.length - new Set(numbers).size;
      const seen = lab.breaches("order_no_reused", "order_no_format").length;
      const evidence = `${numbers.length} attempts: ${malformed} malformed, ${twice} repeated; the vendor saw ${seen} more`;
      if (malformed + twice + seen > 0) return findingOf([evidence], "");
      return refusal === "" ? findingOf([], evidence) : notExamined(refusal);
    },
  },
  user_id_per_person: {
    text: "a person keeps one user id, and shares it with nobody",
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      const idOf = async (scenario: string) => {
        lab.sandbox.advance(3_000);
        return (await lab.launch(personOf(scenario))).userId;
      };
      const [first, again, other] = [
        await idOf("passed"),
        await idOf("passed"),
        await idOf("not_same_person"),
      ];
      const wrong = [
        ...(first === again ? [] : ["another id for a person who comes back"]),
        ...(again === other ? ["the same id for somebody else"] : []),
        ...(isWord(again, 1, 32) ? [] : ["an id that is not 1 to 32 letters and digits"]),
      ];
      return findingOf(wrong, "one id for a person who comes back, another for somebody else");
    },
  },
} satisfies Record<string, ConformanceRule>;
