import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import { CODES as VENDOR_CODES } from "../../src/domain/codes.ts";
import { judge } from "../../src/domain/verdict.ts";
import { HTTP_STATUS } from "../../src/doors/form/errors.ts";
import { GRPC_CODES } from "../../src/doors/rpc/errors.ts";
import { ErrorReason } from "../../src/errors.ts";
import { quoted, read, rowsOf, section } from "./markdown.ts";

function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? "";
}

describe.each([
  { page: "docs/reference.md", verdicts: "Verdicts", errors: "Errors", yes: "yes" },
  { page: "docs/reference.zh-CN.md", verdicts: "结论", errors: "错误", yes: "是" },
])("$page", ({ page, verdicts, errors, yes }) => {
  const markdown = read(page);

  test("the error table has every reason with the statuses of both doors", () => {
    const table = rowsOf(section(markdown, errors)).map(([reason, status, code]) => ({
      reason: quoted(reason)[0],
      status: Number(status),
      code: quoted(code)[0],
    }));
    // gRPC and Connect spell one code differently.
    const grpcName = (code: Code) =>
      code === Code.Canceled
        ? "CANCELLED"
        : (Code[code] ?? "").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
    const expected = Object.entries(ErrorReason)
      .filter(([, reason]) => reason !== ErrorReason.UNSPECIFIED)
      .map(([name, reason]) => ({
        reason: name,
        status: HTTP_STATUS[reason],
        code: grpcName(GRPC_CODES[reason]),
      }));
    const byReason = (a: { reason: string | undefined }, b: { reason: string | undefined }) =>
      String(a.reason) < String(b.reason) ? -1 : 1;
    expect(table.sort(byReason)).toEqual(expected.sort(byReason));
    expect(rowsOf(section(markdown, errors)).filter(([, , , advice = ""]) => advice === "")).toEqual([]);
  });

  test("the verdict table is that of the catalogue", () => {
    const table = rowsOf(section(markdown, verdicts)).map(([verdict, reason, , nextStep, billed]) => ({
      verdict: quoted(verdict)[0] ?? "",
      reason: quoted(reason)[0] ?? "",
      nextSteps: quoted(nextStep).sort(),
      billed: billed === yes,
    }));
    const expected = new Map<string, (typeof table)[number]>();
    const days = 24 * 60 * 60 * 1000;
    for (const entry of VENDOR_CODES.values()) {
      for (const judgement of [judge(entry, 0), judge(entry, 4 * days)]) {
        if ("error" in judgement) continue;
        const reason = nameIn(VerdictReason, judgement.reason);
        const nextStep = nameIn(NextStep, judgement.nextStep);
        const entry = expected.get(reason);
        const nextSteps = [...new Set([...(entry?.nextSteps ?? []), nextStep])].sort();
        const { billed } = judgement;
        expect(entry?.billed ?? billed, reason).toBe(billed);
        expected.set(reason, { verdict: nameIn(Verdict, judgement.verdict), reason, nextSteps, billed });
      }
    }
    const byReason = (a: { reason: string }, b: { reason: string }) => (a.reason < b.reason ? -1 : 1);
    expect(table.sort(byReason)).toEqual([...expected.values()].sort(byReason));
  });

  test("the reference names every RPC and every field of it", () => {
    const text = markdown;
    const missing = FaceVerificationService.methods.flatMap(({ name, input, output }) =>
      [name, ...[...input.fields, ...output.fields].map((field) => field.name)].filter(
        (word) => !text.includes(`\`${word}\``),
      ),
    );
    expect(missing).toEqual([]);
  });
});
