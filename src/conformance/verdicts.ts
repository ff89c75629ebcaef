import type { FaultSpec } from "../sandbox/controls/faults.ts";
import { SCENARIOS } from "../sandbox/vendor/scenarios.ts";
import { type BackendAnswer, describeAnswer, isSuccess, verdictOf } from "./backend.ts";
import { findingOf, type Lab, notExamined, personOf, type RuleFinding } from "./lab.ts";
import type { ConformanceRule } from "./rules.ts";

/** The verdict of each outcome (protocol.md 8.2). */
const VERDICTS: Readonly<Record<string, string>> = {
  passed: "PASSED",
  slow_media: "PASSED",
  not_same_person: "FAILED",
  name_id_mismatch: "FAILED",
  no_such_id: "FAILED",
  invalid_identity: "FAILED",
  liveness_attack: "FAILED",
  no_source_photo: "INCONCLUSIVE",
  blurred: "INCONCLUSIVE",
  occluded: "INCONCLUSIVE",
  no_face: "INCONCLUSIVE",
  daily_limit: "INCONCLUSIVE",
  blocked: "NOT_COMPLETED",
  abandoned: "NOT_COMPLETED",
};

/** Outcomes whose query result reveals nothing about the attempt. */
const FAILED_QUERIES: readonly string[] = ["busy", "unknown_code"];

const FAULTS: readonly Pick<FaultSpec, "kind" | "status">[] = [
  { kind: "status", status: 503 },
  { kind: "html", status: 200 },
  { kind: "reset" },
  { kind: "truncate" },
];

/** Whether no caller can mistake the response for a verdict on the person. */
const isError = (answer: BackendAnswer) =>
  answer.status >= 500 && !isSuccess(answer) && !["PASSED", "FAILED"].includes(verdictOf(answer) ?? "");

/** Requirements for reading results (protocol.md 6.1, 8). */
export const verdicts = {
  only_passed_is_code_0: {
    text: 'code "0" on /get_result for a passed verification and for nothing else; the verdict, where there is one, fits',
    needs: "launch",
    async examine(lab: Lab): Promise<RuleFinding> {
      const wrong: string[] = [];
      const names = Object.keys(VERDICTS);
      for (const name of names) {
        lab.sandbox.advance(3_000);
        const launch = await lab.attempt(personOf(name));
        const answer = await lab.backend.getResult(launch.orderNo);
        const verdict = verdictOf(answer);
        const fits =
          isSuccess(answer) === (VERDICTS[name] === "PASSED") &&
          (verdict === undefined || verdict === VERDICTS[name]);
        if (!fits || answer.status >= 500) wrong.push(`${name}: ${describeAnswer(answer)}`);
      }
      return findingOf(wrong, `${names.length} outcomes read as they ended`);
    },
  },
  unfinished_is_not_failed: {
    text: "an attempt that the SDK has not ended is neither passed nor failed",
    needs: "verdict",
    async examine(lab: Lab): Promise<RuleFinding> {
      lab.sandbox.advance(3_000);
      const { orderNo } = await lab.launch();
      const answer = await lab.backend.getResult(orderNo);
      const said = describeAnswer(answer);
      return findingOf(!isSuccess(answer) && verdictOf(answer) !== "FAILED" ? [] : [said], said);
    },
  },
  failed_query_is_no_verdict: {
    text: "a query that failed is an HTTP error of the server, never a verdict, and the verdict can be read later",
    needs: "verdict",
    async examine(lab: Lab): Promise<RuleFinding> {
      const wrong: string[] = [];
      for (const name of FAILED_QUERIES) {
        lab.sandbox.advance(3_000);
        const launch = await lab.attempt(personOf(name));
        const answer = await lab.backend.getResult(launch.orderNo);
        if (!isError(answer)) wrong.push(`${name}: ${describeAnswer(answer)}`);
      }
      lab.sandbox.advance(3_000);
      const launch = await lab.attempt();
      for (const fault of FAULTS) {
        const id = lab.sandbox.faults.add({ endpoint: "query", times: null, ...fault });
        const answer = await lab.backend.getResult(launch.orderNo);
        lab.sandbox.faults.clear(id);
        if (!isError(answer)) wrong.push(`${fault.kind}: ${describeAnswer(answer)}`);
      }
      const read = await lab.eventually(async () => isSuccess(await lab.backend.getResult(launch.orderNo)));
      if (!read) wrong.push("the verdict could not be read afterwards");
      return findingOf(
        wrong,
        `${FAILED_QUERIES.length + FAULTS.length} ways to fail, each an error; read afterwards`,
      );
    },
  },
  refused_upload_is_no_launch: {
    text: "an identity that the vendor refuses at the upload gives no launch parameters",
    needs: "launch",
    seenAnyway: true,
    async examine(lab: Lab): Promise<RuleFinding> {
      const wrong: string[] = [];
      const scenarios = SCENARIOS.filter(({ at }) => at === "upload");
      const before = lab.calls().upload;
      for (const { name, idNo } of scenarios) {
        const answer = await lab.backend.getFaceParams({ name: "张三", idNo });
        if (isSuccess(answer)) wrong.push(`${name}: ${describeAnswer(answer)}`);
      }
      const uploads = lab.calls().upload - before;
      if (wrong.length === 0 && uploads < scenarios.length) {
        return notExamined(`only ${uploads} of ${scenarios.length} identities reached the vendor`);
      }
      return findingOf(wrong, `${scenarios.length} refusals handed on`);
    },
  },
} satisfies Record<string, ConformanceRule>;
