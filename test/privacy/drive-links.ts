import { VerificationLinkService } from "../../gen/faceverification/v1/link_pb.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Child } from "../support/child.ts";
import type { GrpcClient } from "../support/grpc-client.ts";
import type { Recorder } from "../support/recorder.ts";
import type { Marks } from "./drive.ts";

export interface LinksWorld {
  child: Child;
  sandbox: Sandbox;
  wire: Recorder;
  marks: Marks;
  client: GrpcClient;
  metadata: Record<string, string>;
  /** Waits for a call, whose error is then among `errors`. */
  call: <T>(work: Promise<T>) => Promise<T | undefined>;
  errors: string[];
}

/**
 * Links with marked people: made, opened, pressed, returned to, with every failure of the vendor's on the way. Every page is
 * among the errors: whatever a browser is shown must be as silent as they are. One link is left waiting, with its identity in
 * the store.
 */
export async function driveLinks(world: LinksWorld): Promise<void> {
  const { child, sandbox, wire, marks, client, metadata, call, errors } = world;
  const { createVerificationLink, getVerificationLink, revokeVerificationLink } =
    VerificationLinkService.method;
  let people = 0;
  const person = () => ({ name: marks.name, idNo: marks.idNo, userId: `${marks.userId}link${++people}` });

  /** Follows no redirect: where it leads is the vendor's, or a hint to be replayed. */
  async function visit(url: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(child.http + new URL(url).pathname + new URL(url).search, {
      redirect: "manual",
      ...init,
    });
    errors.push(await response.text());
    return response.headers.get("location") ?? "";
  }
  const press = (url: string) => visit(`${url}/start`, { method: "POST" });

  /** From the vendor's launch URL to the way back. */
  async function capture(launch: string, outcome: string): Promise<string> {
    const page = await fetch(launch.replace(wire.url, sandbox.url), { redirect: "manual" });
    const session = new URL(page.headers.get("location") ?? "/none", sandbox.url);
    const body = new URLSearchParams({ outcome });
    const sent = await fetch(session, { method: "POST", body, redirect: "manual" });
    return sent.headers.get("location") ?? "";
  }

  for (const outcome of ["passed", "not_same_person", "blurred", "3004"]) {
    const link = await call(client.unary(createVerificationLink, person(), { metadata }));
    if (!link) throw new Error("no link was made");
    for (const language of ["zh", "en"]) await visit(link.url, { headers: { "accept-language": language } });
    const back = await capture(await press(link.url), outcome);
    await visit(back);
    await visit(back);
    await visit(`${link.url}/state`);
    await call(client.unary(getVerificationLink, { linkId: link.linkId }, { metadata }));
  }
  for (const fault of ["status", "reset", "html"] as const) {
    const link = await call(client.unary(createVerificationLink, person(), { metadata }));
    sandbox.faults.add({ endpoint: "upload", kind: fault });
    await press(link?.url ?? "");
    sandbox.faults.clear();
    await call(client.unary(revokeVerificationLink, { linkId: link?.linkId ?? "" }, { metadata }));
  }
  for (const wrong of [
    { ...person(), idNo: `${marks.idNo.slice(0, 17)}!` },
    { ...person(), name: marks.name.repeat(20) },
    { ...person(), returnUrl: `https://${marks.idNo}.example/${encodeURIComponent(marks.name)}` },
  ]) {
    await call(client.unary(createVerificationLink, wrong, { metadata }));
  }
  const hostile = `${child.http}/v/${marks.idNo}/${encodeURIComponent(marks.name)}?name=${marks.idNo}`;
  for (const url of [hostile, hostile.replace(`/${encodeURIComponent(marks.name)}`, "")]) await visit(url);
  await call(client.unary(createVerificationLink, person(), { metadata }));
}
