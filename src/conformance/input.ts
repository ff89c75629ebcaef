import { isSuccess } from "./backend.ts";
import type { Lab, RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

const GOOD = { name: "张三", id_no: "11010519491231002X" };

const BAD_FORMS: readonly [what: string, path: string, form: Record<string, string>][] = [
  ["no name", "/get_face_params", { id_no: GOOD.id_no }],
  ["an empty name", "/get_face_params", { ...GOOD, name: " " }],
  ["a line break in the name", "/get_face_params", { ...GOOD, name: "张\n三" }],
  ["no ID number", "/get_face_params", { name: GOOD.name }],
  ["a wrong check digit", "/get_face_params", { ...GOOD, id_no: "110105194912310021" }],
  ["30 February", "/get_face_params", { ...GOOD, id_no: "11010519900230001X" }],
  ["no order number", "/get_result", {}],
  ["an order number with a slash", "/get_result", { order_no: "../../etc" }],
  ["an order number of 64 characters", "/get_result", { order_no: "a".repeat(64) }],
];

/**
 * Input a backend must not forward: each call costs time, and a mistyped pair may cost money (protocol.md
 * 10.2).
 */
export const input = {
  bad_input_refused: {
    text: "bad input is refused with HTTP 4xx and without a call to the vendor",
    async examine(lab: Lab): Promise<RuleFinding> {
      const wrong: string[] = [];
      for (const [what, path, form] of BAD_FORMS) {
        const before = lab.calls();
        const answer = await lab.backend.post(path, form);
        const after = lab.calls();
        const called =
          after.upload +
          after.nonce_ticket +
          after.query -
          before.upload -
          before.nonce_ticket -
          before.query;
        if (isSuccess(answer) || answer.status < 400 || answer.status >= 500)
          wrong.push(`${what}: HTTP ${answer.status}`);
        else if (called > 0) wrong.push(`${what}: ${called} calls to the vendor`);
      }
      const ok = wrong.length === 0;
      return { ok, evidence: ok ? `${BAD_FORMS.length} bad forms refused` : wrong.join("; ") };
    },
  },
  unknown_order_never_passes: {
    text: "an order number that was never given out does not pass",
    async examine(lab: Lab): Promise<RuleFinding> {
      const answer = await lab.backend.getResult("0123456789abcdefghijABCDEFGHIJ00");
      return {
        ok: !isSuccess(answer),
        evidence: `HTTP ${answer.status} code ${String(answer.json["code"])}`,
      };
    },
  },
} satisfies Record<string, ConformanceRule>;
