import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CreateVerificationLinkRequest,
  CreateVerificationLinkRequestSchema,
  type CreateVerificationLinkResponse,
  CreateVerificationLinkResponseSchema,
  type GetVerificationLinkResponse,
  GetVerificationLinkResponseSchema,
  RevokeVerificationLinkResponseSchema,
  VerificationLinkService,
} from "../../gen/faceverification/v1/link_pb.ts";
import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Call, CallFacts } from "../calls/call.ts";
import { type Implementation, implement } from "../calls/implement.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import { identityViolations, type Names, normaliseIdentity, personNumber } from "../domain/identity.ts";
import type { OrderNumbers } from "../domain/order-number.ts";
import { fieldsOf } from "../domain/request-id.ts";
import { allowedReturnUrl } from "../domain/return-url.ts";
import { enumName, type Judgement } from "../domain/verdict.ts";
import { ErrorReason, type FieldViolation, ServiceError } from "../errors.ts";
import { Pii } from "../lib/redacted.ts";
import type { Links, LinkView } from "../links/links.ts";

/** VerificationLinkService as the internal listener serves it. */
export type VerificationLinks = Implementation<typeof VerificationLinkService>;

export interface VerificationLinksOptions {
  /** Undefined without PUBLIC_URL. */
  links: Links | undefined;
  /** Prefixes of LINK_RETURN_URLS. */
  returnUrls: readonly URL[];
  /** How names are spelled for the vendor. */
  names: Names;
  orderNumbers: Pick<OrderNumbers, "userIdOf">;
  livemode: boolean;
}

/** What a request that does not say gets. */
const LIFE_MS = 30 * 60_000;
const ATTEMPTS = 3;

/** The RPCs of verification links, for internal callers. */
export function createVerificationLinks(
  pipeline: Pipeline,
  { links, returnUrls, names, orderNumbers, livemode }: VerificationLinksOptions,
): VerificationLinks {
  function open({ caller }: Call): Links {
    if (!caller.internal) {
      throw new ServiceError(ErrorReason.PERMISSION_DENIED, "links are for internal callers");
    }
    if (!links) throw new ServiceError(ErrorReason.NO_PUBLIC_URL, "PUBLIC_URL is not set");
    return links;
  }

  return implement(VerificationLinkService, pipeline, {
    createVerificationLink: {
      normalise: (request) => ({ ...request, ...normaliseIdentity(request, names) }),
      violations: (request) => [...identityViolations(request), ...returnUrlViolations(request, returnUrls)],
      async handler(request, call): Promise<CreateVerificationLinkResponse> {
        const service = open(call);
        const { name, idNo, userId, reference, returnUrl, life, maxAttempts, requestId } = request;
        const person = orderNumbers.userIdOf(new Pii(personNumber(idNo)));
        call.note({ person });
        const link = await service.create({
          identity: { name: new Pii(name), idNo: new Pii(idNo) },
          userId: userId || person,
          person,
          reference,
          returnUrl,
          maxAttempts: maxAttempts || ATTEMPTS,
          lifeMs: life ? Math.ceil(durationMs(life)) : LIFE_MS,
          request: requestId === "" ? "" : `${call.caller.name}\0${requestId}`,
          fields: fieldsOf(CreateVerificationLinkRequestSchema, request),
        });
        return create(CreateVerificationLinkResponseSchema, {
          url: service.urlOf(link),
          linkId: link.id,
          expiresAt: timestampFromMs(link.expiresAt),
        });
      },
    },
    getVerificationLink: async ({ linkId }, call) => {
      const link = await open(call).look(linkId, call);
      call.note(factsOf(link));
      return responseOf(link, livemode);
    },
    revokeVerificationLink: async ({ linkId }, call) => {
      const { state } = await open(call).revoke(linkId);
      return create(RevokeVerificationLinkResponseSchema, { state });
    },
  });
}

function returnUrlViolations(
  { returnUrl }: CreateVerificationLinkRequest,
  prefixes: readonly URL[],
): FieldViolation[] {
  if (returnUrl === "" || allowedReturnUrl(returnUrl, prefixes)) return [];
  return [{ field: "return_url", rule: "return_url.allowed" }];
}

function responseOf(link: LinkView, livemode: boolean): GetVerificationLinkResponse {
  const { id, state, judgement, reference, userId, createdAt, expiresAt, maxAttempts } = link;
  return create(GetVerificationLinkResponseSchema, {
    linkId: id,
    state,
    ...spoken(judgement),
    attempts: link.attempts.map(({ orderNo, startedAt, back, outcome }) => ({
      orderNo,
      createTime: timestampFromMs(startedAt),
      ...(back && {
        returnTime: timestampFromMs(back.at),
        returnCode: back.code,
        returnSigned: back.signed,
      }),
      ...spoken(outcome?.judgement),
      code: outcome?.code ?? "",
    })),
    reference,
    userId,
    createTime: timestampFromMs(createdAt),
    expiresAt: timestampFromMs(expiresAt),
    maxAttempts,
    livemode,
  });
}

function spoken(judgement: Judgement | undefined) {
  if (!judgement) return {};
  const { verdict, reason, nextStep } = judgement;
  return { verdict, reason, nextStep };
}

/** For the audit trail: whose verdict was read, by which order. */
function factsOf({ person, judgement, attempts, endedBy }: LinkView): CallFacts {
  const attempt = attempts.find(({ orderNo }) => orderNo === endedBy) ?? attempts.at(-1);
  return {
    person,
    ...(attempt && { order_no: attempt.orderNo }),
    ...(judgement && {
      verdict: enumName(Verdict, judgement.verdict),
      verdict_reason: enumName(VerdictReason, judgement.reason),
      billed: judgement.billed,
    }),
  };
}
