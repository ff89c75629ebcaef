import * as grpc from "@grpc/grpc-js";
import {
  FaceVerificationService,
  PhotoType,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import type { FaultKind } from "../../src/sandbox/controls/faults.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Child } from "../support/child.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import type { startProvider } from "../support/identity-provider.ts";
import type { Recorder, SeenCall } from "../support/recorder.ts";
import { driveLinks } from "./drive-links.ts";

/** Whom the calls are about, and what must stay with the vendor and the caller. */
export interface Marks {
  name: string;
  idNo: string;
  userId: string;
  photo: Buffer;
  grpcToken: string;
  httpToken: string;
  /** An end user, who owns orders, and the key of an app. */
  owner: string;
  appKey: string;
  /** A token that nobody knows. */
  wrongToken: string;
  webhookSecret: string;
}

export interface World {
  child: Child;
  sandbox: Sandbox;
  wire: Recorder;
  marks: Marks;
  provider: Pick<Awaited<ReturnType<typeof startProvider>>, "sign" | "forged">;
}

/** Drives every door, method and failure with marked values; resolves to every error as its caller read it. */
export async function drive({ child, sandbox, wire, marks, provider }: World): Promise<string[]> {
  const errors: string[] = [];
  const client = new GrpcClient(child.grpc, grpc.credentials.createInsecure());
  const { getFaceParams, getResult } = FaceVerificationService.method;
  const bearer = { authorization: `Bearer ${marks.httpToken}` };
  let users = 0;
  const person = () => ({ name: marks.name, idNo: marks.idNo, userId: `${marks.userId}${++users}` });
  const formPerson = () => ({ name: marks.name, id_no: marks.idNo, user_id: `${marks.userId}${++users}` });

  async function http(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
    const response = await fetch(url, { ...init, headers: { ...bearer, ...(init.headers as object) } });
    const bytes = Buffer.from(await response.arrayBuffer());
    const head = JSON.stringify([...response.headers]);
    const failed =
      !response.ok || /[?&]status=|"code":"(?!0")/.test(bytes.toString()) || bytes.includes("grpc-message");
    if (failed)
      errors.push(`${head}\n${bytes.toString()}\n${decodeURIComponent(escapeLone(bytes.toString()))}`);
    try {
      return JSON.parse(bytes.toString()) as Record<string, unknown>;
    } catch {
      return {};
    }
  }
  /** A percent sign that begins no escape would end the decoding. */
  const escapeLone = (text: string) =>
    text.replaceAll(/%(?![0-9a-f]{2})/gi, "%25").replaceAll(/%[89a-f][0-9a-f]/gi, "%3F");

  const form = (
    path: string,
    fields: Record<string, string> | string,
    headers: Record<string, string> = {},
  ) =>
    http(`${child.http}${path}`, {
      method: "POST",
      body: typeof fields === "string" ? fields : new URLSearchParams(fields).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    });
  const json = (method: string, message: unknown, type = "application/json") =>
    http(`${child.http}/faceverification.v1.FaceVerificationService/${method}`, {
      method: "POST",
      body: typeof message === "string" ? message : JSON.stringify(message),
      headers: { "content-type": type },
    });
  const metadata = { authorization: `Bearer ${marks.grpcToken}`, "x-marked": encodeURIComponent(marks.name) };
  const call = <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: grpc.ServiceError) => {
      const bytes = Object.values(error.metadata?.getMap() ?? {}).map((value) => value.toString());
      errors.push([error.message, error.details, ...bytes].join("\n"));
      return undefined;
    });
  const launch = (options = {}) => call(client.unary(getFaceParams, person(), { metadata, ...options }));

  // What goes well, by every door.
  const launched = await form("/get_face_params", { ...formPerson(), request_id: "r1" });
  const params = launched["result"] as Record<string, string>;
  await fetch(`${sandbox.url}/sdk/verify`, {
    method: "POST",
    body: JSON.stringify(launched),
    headers: { "content-type": "application/json" },
  });
  await form("/get_result", { order_no: params["order_no"] ?? "" });
  await call(
    client.unary(getResult, { orderNo: params["order_no"] ?? "", includeMedia: true }, { metadata }),
  );
  await json("GetResult", { orderNo: params["order_no"], includeMedia: true });
  await json("GetFaceParams", person());
  const photo = { photo: marks.photo, photoType: PhotoType.CLEAR };
  await call(client.unary(getFaceParams, { ...person(), ...photo }, { metadata }));
  await json("GetFaceParams", {
    ...person(),
    photo: marks.photo.toString("base64"),
    photoType: "PHOTO_TYPE_WATERMARKED",
  });

  // What is not valid.
  const { name, idNo } = marks;
  for (const wrong of [
    { ...person(), idNo: `${idNo.slice(0, 17)}${idNo.endsWith("0") ? "1" : "0"}` },
    { ...person(), name: `${name}\u0007` },
    { ...person(), name: name.repeat(20) },
    { ...person(), userId: `${idNo}${name}` },
    { ...person(), photo: marks.photo },
  ]) {
    await call(client.unary(getFaceParams, wrong, { metadata }));
    await form("/get_face_params", { name: wrong.name, id_no: wrong.idNo, user_id: wrong.userId });
  }
  await form("/get_result", { order_no: `${idNo}-${name}` });
  await call(client.unary(getResult, { orderNo: `${name}` }, { metadata }));

  // What cannot be read.
  for (const body of [
    `${idNo}=1&${idNo}=2`,
    `name=${encodeURIComponent(name)}&id_no=${idNo}%`,
    `${encodeURIComponent(name)}=%zz`,
    `name=%ff&id_no=${idNo}`,
  ]) {
    await form("/get_face_params", body);
  }
  await form("/get_face_params", formPerson(), { "content-type": "text/plain" });
  await form("/get_face_params", { ...formPerson(), more: idNo.repeat(5_000) });
  for (const body of [
    { name: [name], idNo: { a: idNo } },
    { [name]: idNo },
    { ...person(), photo: `${idNo}!` },
    { ...person(), photoType: idNo },
    `{"name":"${name}","idNo":"${idNo}"`,
    `${name}${idNo}`,
  ]) {
    await json("GetFaceParams", body);
    await json("GetFaceParams", body, "application/grpc-web+json");
    await json("GetFaceParams", body, "application/connect+json");
    await json("GetFaceParams", body, `text/${idNo}`);
  }
  await json("GetFaceParams", { name: idNo.repeat(70_000) });
  await json(`${idNo}`, {});
  for (const base of [child.http, child.admin]) {
    const query = `name=${encodeURIComponent(name)}&id_no=${idNo}&access_token=${marks.grpcToken}`;
    for (const method of ["GET", "POST", "PUT"]) {
      await http(`${base}/${idNo}/${encodeURIComponent(name)}?${query}`, { method });
      await http(`${base}/get_face_params?${query}`, { method });
      await http(`${base}/metrics/${idNo}?${query}`, { method });
    }
  }

  // Who may not.
  const strange = { authorization: `Bearer ${marks.wrongToken}` };
  await call(client.unary(getFaceParams, person(), { metadata: strange }));
  await call(
    client.unary(getFaceParams, person(), { metadata: { authorization: `Basic ${marks.wrongToken}` } }),
  );
  await call(client.unary(getFaceParams, person()));
  await form("/get_face_params", formPerson(), strange);
  await form("/get_result", { order_no: params["order_no"] ?? "" }, { authorization: marks.wrongToken });

  // End users with orders of their own, and apps that sign.
  const user = { authorization: `Bearer ${await provider.sign({ sub: marks.owner })}` };
  const other = { authorization: `Bearer ${await provider.sign({ sub: `${marks.owner}2` })}` };
  const forged = { authorization: `Bearer ${await provider.forged({ sub: marks.owner })}` };
  const late = { authorization: `Bearer ${await provider.sign({ sub: marks.owner, exp: 1 })}` };
  const owned = await form("/get_face_params", formPerson(), user);
  const { order_no: ownOrder = "" } = (owned["result"] ?? {}) as Record<string, string>;
  if (ownOrder === "") throw new Error("the end user got no order");
  for (const who of [user, other, forged, late]) await form("/get_result", { order_no: ownOrder }, who);
  for (const signature of [
    `t=${Math.floor(Date.now() / 1000)},v1=${marks.appKey.repeat(2).slice(0, 64)}`,
    marks.appKey,
  ]) {
    await form("/get_face_params", formPerson(), { authorization: "", "x-signature": signature });
  }
  await form("/get_face_params", { ...formPerson(), request_id: "again" });
  await form("/get_face_params", { ...formPerson(), request_id: "again" });

  // What goes wrong at the vendor: faults of the wire, refusals, codes, and one that repeats what it was told.
  const kinds: FaultKind[] = ["status", "reset", "lost_reply", "truncate", "html"];
  for (const endpoint of ["upload", "nonce_ticket", "query"] as const) {
    const work = () =>
      endpoint === "query"
        ? call(
            client.unary(getResult, { orderNo: params["order_no"] ?? "", includeMedia: true }, { metadata }),
          )
        : launch();
    for (const kind of kinds) {
      sandbox.faults.add({ endpoint, kind });
      await work();
    }
    for (const code of ["400101", "400506", "66660010", "66660015", "66660001", "999999", "31415926"]) {
      sandbox.faults.add({ endpoint, kind: "code", code, times: code === "400101" ? 2 : 1 });
      await work();
    }
    for (const answer of [echo, echoAsText, echoAsCode]) {
      wire.instead = (seen) => (seen.endpoint === endpoint ? answer(seen) : undefined);
      await work();
      await form("/get_face_params", formPerson());
    }
    wire.instead = undefined;
    sandbox.faults.clear();
    // Time that runs out, and a caller who leaves.
    sandbox.faults.add({ endpoint, kind: "slow_reply", delayMs: 1_500, times: 3 });
    const leaving = new AbortController();
    const { signal } = leaving;
    const left =
      endpoint === "query"
        ? call(client.unary(getResult, { orderNo: params["order_no"] ?? "" }, { metadata, signal }))
        : launch({ signal });
    await launch({ timeoutMs: 300 });
    leaving.abort();
    await left;
    sandbox.faults.clear();
  }

  await driveLinks({ child, sandbox, wire, marks, call, metadata, client, errors });

  // Tickets that die under way, and a second refresher.
  sandbox.revoke();
  await launch();
  await launch();

  // The vendor's own silence, up to the time limit of a call.
  sandbox.faults.add({ endpoint: "upload", kind: "delay", delayMs: 9_000 });
  await launch();
  await call(client.unary(Health.method.check, { service: name }));
  for (const path of ["/metrics", "/livez", "/readyz"]) await http(`${child.admin}${path}?id_no=${idNo}`);
  for (const method of ["TicketStatus", "Diagnose", "ForceRefresh"]) {
    const answer = await http(`${child.admin}/faceverification.v1.TicketAdminService/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${marks.grpcToken}` },
      body: "{}",
    });
    // What operators are answered may hold nothing either.
    errors.push(JSON.stringify(answer));
  }
  client.close();
  return errors;
}

const told = ({ body, query }: SeenCall) => Object.values({ ...query, ...body }).join(" ");
const echo = (seen: SeenCall) => ({
  status: 200,
  body: JSON.stringify({
    code: "31415927",
    msg: told(seen),
    bizSeqNo: told(seen),
    result: { orderNo: told(seen) },
  }),
});
const echoAsText = (seen: SeenCall) => ({ status: 200, body: told(seen) });
const echoAsCode = (seen: SeenCall) => ({
  status: 200,
  body: JSON.stringify({
    code: seen.body["idNo"] ?? seen.body["sign"] ?? seen.query["access_token"],
    msg: told(seen),
  }),
});
