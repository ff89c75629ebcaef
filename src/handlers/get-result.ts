import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type GetResultRequest,
  type GetResultResponse,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Call, Caller, Handler } from "../calls/call.ts";
import { codeEntry } from "../domain/codes.ts";
import type { OrderCertificate, OrderNumbers } from "../domain/order-number.ts";
import { enumName, type Judgement, judge } from "../domain/verdict.ts";
import { ErrorReason, ServiceError, UpstreamError } from "../errors.ts";
import type { Evidence, LedgerOrder, OrderEnd } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import { timeLimit } from "../lib/deadline.ts";
import { Pii } from "../lib/redacted.ts";
import type { Orders } from "../orders/orders.ts";
import type { OrderAnswer, QueryOrder } from "./query-order.ts";

export interface GetResultOptions {
  livemode: boolean;
  orderNumbers: OrderNumbers;
  queryOrder: QueryOrder;
  orders: Pick<Orders, "find" | "judged">;
  clock: Clock;
}

/** What is known of an attempt: a judgement, and what the vendor said beside it. */
interface Outcome {
  judgement: Judgement;
  evidence: Evidence;
}

/** Time limit for the files, milliseconds; together with the preceding query, shorter than a call's own. */
const MEDIA_MS = 6_500;

/**
 * GetResult: the end of the order in the ledger, or else one query, whose code decides the verdict; media in separate
 * calls.
 */
export function createGetResult(options: GetResultOptions): Handler<GetResultRequest, GetResultResponse> {
  const { livemode, orderNumbers, queryOrder, orders, clock } = options;

  async function ask(orderNo: string, media: boolean, { signal, note }: Pick<Call, "signal" | "note">) {
    const answer = await queryOrder(orderNo, { media, signal });
    if (answer.unreadable.length > 0) note({ unreadable: answer.unreadable });
    return answer;
  }

  /** Asks the vendor; its verdict also ends the order in the ledger, unless that has another end, which stands. */
  async function look(
    orderNo: string,
    { createdAt, withPhoto }: Partial<Pick<LedgerOrder, "createdAt" | "withPhoto">>,
    call: Call,
  ): Promise<Outcome> {
    const { entry, evidence } = await ask(orderNo, false, call);
    const judgement = judge(entry, createdAt && clock.now() - createdAt, withPhoto);
    if ("error" in judgement)
      throw new UpstreamError("query", "code", { entry, bizSeqNo: evidence.bizSeqNo });
    const judged = judgement.verdict !== Verdict.NOT_COMPLETED;
    const standing = judged ? await orders.judged(orderNo, judgement, evidence) : undefined;
    return outcomeOf(standing) ?? { judgement, evidence };
  }

  /** The verdict stands without the files, so a failure to get them is noted, not thrown. */
  async function filesOf(orderNo: string, passed: boolean, call: Call): Promise<Files | undefined> {
    // Leaves time to return the verdict, however many calls are waiting for files.
    const limit = timeLimit(MEDIA_MS, call.signal);
    const { signal } = limit;
    try {
      return await collectMedia(() => ask(orderNo, true, { ...call, signal }), { passed, clock, signal });
    } catch (error) {
      call.signal.throwIfAborted();
      call.note({ media_error: error instanceof UpstreamError ? error.message : "unexpected error" });
      return undefined;
    } finally {
      limit.release();
    }
  }

  return async ({ orderNo, includeMedia }, call) => {
    const certificate = orderNumbers.certify(orderNo);
    if (!mayRead(call.caller, certificate)) {
      throw new ServiceError(ErrorReason.ORDER_NOT_FOUND, "the order was not made here for this caller");
    }
    if (includeMedia && !call.caller.media) {
      throw new ServiceError(ErrorReason.PERMISSION_DENIED, "photo and video are not for this caller");
    }
    call.note({ order_no: orderNo });
    const order = await orders.find(orderNo);
    const minted = certificate && { createdAt: certificate.mintedAt, withPhoto: certificate.withPhoto };
    const { judgement, evidence } =
      outcomeOf(order?.end) ?? (await look(orderNo, order ?? minted ?? {}, call));
    const { code, bizSeqNo = "", liveRate, similarity, occurredAt, riskInfo, oriCode, sdkVersion } = evidence;
    call.note({
      upstream_code: code,
      biz_seq_no: bizSeqNo,
      billed: judgement.billed,
      verdict: enumName(Verdict, judgement.verdict),
      verdict_reason: enumName(VerdictReason, judgement.reason),
    });
    const withMedia = includeMedia && judgement.verdict !== Verdict.NOT_COMPLETED;
    const media = withMedia ? await filesOf(orderNo, judgement.verdict === Verdict.PASSED, call) : undefined;
    return create(GetResultResponseSchema, {
      orderNo,
      ...judgement,
      code,
      bizSeqNo,
      livemode,
      ...(liveRate !== undefined && { liveRate }),
      ...(similarity !== undefined && { similarity }),
      ...(occurredAt !== undefined && { occurredAt: timestampFromMs(occurredAt) }),
      // Passed through: none of them affects the verdict.
      ...(riskInfo && { riskInfo: defined(riskInfo) }),
      ...(oriCode !== undefined && { oriCode }),
      ...(sdkVersion !== undefined && { sdkVersion }),
      ...(media && { media: { photo: media.photo.reveal(), video: media.video.reveal() } }),
    });
  };
}

/** What an end in the ledger says; undefined if it says nothing, so that only the vendor can be asked. */
function outcomeOf(end: OrderEnd | undefined): Outcome | undefined {
  if (!end || end.state === OrderState.UNKNOWN) return undefined;
  // EXPIRED is the vendor's own "no record", and now final.
  const judgement = end.judgement ?? judge(codeEntry(end.evidence.code), undefined);
  return "error" in judgement ? undefined : { judgement, evidence: end.evidence };
}

const defined = (risk: NonNullable<Evidence["riskInfo"]>) =>
  Object.fromEntries(Object.entries(risk).filter(([, value]) => value !== undefined));

/** Internal callers may read any order; others only those minted here for their subject, "" included. */
function mayRead(caller: Caller, certificate: OrderCertificate | undefined): boolean {
  return caller.internal || (certificate?.belongsTo(caller.subject) ?? false);
}

export interface Files {
  photo: Pii<Uint8Array>;
  video: Pii<Uint8Array>;
}

/** Files lag behind the verdict; the vendor advises three polls, two seconds apart (protocol.md 6.1). */
const POLLS = 3;
const POLL_MS = 2_000;
const NONE = new Pii(new Uint8Array(0));

/**
 * Fetches an attempt's files; undefined if there are none. Polls for them after a pass; after any other
 * verdict the vendor may never have any (protocol.md 6.1).
 */
async function collectMedia(
  fetchFiles: () => Promise<Pick<OrderAnswer, keyof Files>>,
  { passed, clock, signal }: { passed: boolean; clock: Clock; signal: AbortSignal },
): Promise<Files | undefined> {
  for (let poll = 1; ; poll++) {
    const { photo, video } = await fetchFiles();
    const complete = photo !== undefined && video !== undefined;
    if (complete || !passed || poll === POLLS) {
      return photo || video ? { photo: photo ?? NONE, video: video ?? NONE } : undefined;
    }
    await clock.sleep(POLL_MS, signal);
  }
}
