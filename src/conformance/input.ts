import { describeAnswer, isSuccess } from "./backend.ts";
import { findingOf, type Lab, notExamined, type RuleFinding } from "./lab.ts";
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
    needs: "launch",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const wrong: string[] = [];
      const failed: string[] = [];
      for (const [what, path, form] of BAD_FORMS) {
        const before = vendorCalls(lab);
        const answer = await lab.backend.post(path, form);
        const called = vendorCalls(lab) - before;
        const said = `${what}: ${describeAnswer(answer)}`;
        if (called > 0) wrong.push(`${said}, after ${called} calls to the vendor`);
        else if (isSuccess(answer) || answer.status < 400) wrong.push(said);
        else if (answer.status >= 500) failed.push(said);
      }
      const lack = failed.length > 0 ? await lab.lacks("launch") : undefined;
      if (wrong.length === 0 && lack !== undefined) return notExamined(lack);
      return findingOf([...wrong, ...failed], `${BAD_FORMS.length} bad forms refused`);
    },
  },
  unknown_order_never_passes: {
    text: "an order number that was never given out does not pass",
    needs: "verdict",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const answer = await lab.backend.getResult("0123456789abcdefghijABCDEFGHIJ00");
      const said = describeAnswer(answer);
      return findingOf(isSuccess(answer) ? [said] : [], said);
    },
  },
} satisfies Record<string, ConformanceRule>;

/** Calls to the vendor on behalf of a person. */
function vendorCalls(lab: Lab): number {
  const { upload, nonce_ticket: nonce, query } = lab.calls();
  return upload + nonce + query;
}
