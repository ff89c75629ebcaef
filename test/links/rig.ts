import type { MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  type CreateVerificationLinkRequestSchema,
  type GetVerificationLinkResponse,
  VerificationLinkService,
} from "../../gen/faceverification/v1/link_pb.ts";
import type { GrpcClient } from "../support/grpc-client.ts";

export const PUBLIC_URL = "https://verify.example";
export const PERSON = { name: "张三", idNo: "11010519491231002X" };
export const PHONE = {
  "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari/604.1",
};
export const DESKTOP = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36" };

/** What a browser sends along when a button of the page itself is pressed. */
export const SAME_SITE = { "sec-fetch-site": "same-origin", origin: PUBLIC_URL };

const { createVerificationLink, getVerificationLink, revokeVerificationLink } =
  VerificationLinkService.method;

/** A person with a browser, and the backend that has made a link; `client` is the backend's way to the service. */
export function createVisitor(base: () => string, client: GrpcClient) {
  /** A request as a browser sends it, which follows no redirect. */
  async function visit(url: string, init: RequestInit = {}) {
    const path = url.startsWith("http") ? url.replace(/^https?:\/\/[^/]+/, "") : url;
    const response = await fetch(base() + path, { redirect: "manual", ...init });
    const location = response.headers.get("location");
    return {
      status: response.status,
      headers: response.headers,
      /** Where it leads, as the browser resolves it. */
      location: location === null ? undefined : new URL(location, PUBLIC_URL + path).href,
      text: await response.text(),
    };
  }

  return {
    visit,
    create: (request: MessageInitShape<typeof CreateVerificationLinkRequestSchema> = {}) =>
      client.unary(createVerificationLink, { ...PERSON, ...request }),
    get: (linkId: string): Promise<GetVerificationLinkResponse> =>
      client.unary(getVerificationLink, { linkId }),
    revoke: (linkId: string) => client.unary(revokeVerificationLink, { linkId }),
    open: (url: string, headers: Record<string, string> = PHONE) => visit(url, { headers }),
    press: (url: string, headers: Record<string, string> = SAME_SITE, query = "") =>
      visit(`${url}/start${query}`, { method: "POST", headers }),
    state: async (url: string) =>
      JSON.parse((await visit(`${url}/state`)).text) as { state: string; verdict?: string; version: string },
  };
}

export type Visitor = ReturnType<typeof createVisitor>;

/** The gRPC status with which the call failed. */
export const statusOf = (call: Promise<unknown>): Promise<number> =>
  call.then(
    () => grpc.status.OK,
    (error: grpc.ServiceError) => error.code,
  );
