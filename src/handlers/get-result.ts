import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type GetResultRequest,
  type GetResultResponse,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Call, Caller, Handler } from "../calls/call.ts";
import type { OrderCertificate, OrderNumbers } from "../domain/order-number.ts";
import { enumName } from "../domain/verdict.ts";
import { ErrorReason, ServiceError, UpstreamError } from "../errors.ts";
import type { Evidence } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import { timeLimit } from "../lib/deadline.ts";
import { Pii } from "../lib/redacted.ts";
import type { OrderAnswer, QueryOrder } from "./query-order.ts";
import type { OutcomeReader } from "./read-outcome.ts";

export interface GetResultOptions {
  livemode: boolean;
  orderNumbers: OrderNumbers;
  outcomes: Pick<OutcomeReader, "read">;
  /** Asks the vendor for the files. */
  queryOrder: QueryOrder;
  /** The link that an order is an attempt of, by the store of links; undefined if it is not known. */
  linkOf: (orderNo: string) => Promise<string | undefined>;
  clock: Clock;
}

/** Time limit for the files, milliseconds; together with the preceding query, shorter than a call's own. */
const MEDIA_MS = 6_500;

/**
 * GetResult: the end of the order in the ledger, or else one query, whose code decides the verdict; media in separate
 * calls.
 */
export function createGetResult(options: GetResultOptions): Handler<GetResultRequest, GetResultResponse> {
  const { livemode, orderNumbers, outcomes, queryOrder, linkOf, clock } = options;

  async function fetchFiles(orderNo: string, { signal, note }: Pick<Call, "signal" | "note">) {
    const answer = await queryOrder(orderNo, { media: true, signal });
    if (answer.unreadable.length > 0) note({ unreadable: answer.unreadable });
    return answer;
  }

  /** The verdict stands without the files, so a failure to get them is noted, not thrown. */
  async function filesOf(orderNo: string, passed: boolean, call: Call): Promise<Files | undefined> {
    // Leaves time to return the verdict, however many calls are waiting for files.
    const limit = timeLimit(MEDIA_MS, call.signal);
    const { signal } = limit;
    try {
      return await collectMedia(() => fetchFiles(orderNo, { ...call, signal }), { passed, clock, signal });
    } catch (error) {
      call.signal.throwIfAborted();
      const ours = signal.aborted ? `no files within ${MEDIA_MS} ms` : "unexpected error";
      call.note({ media_error: error instanceof UpstreamError ? error.message : ours });
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
    const { judgement, evidence, order } = await outcomes.read(orderNo, call, certificate);
    // Without a ledger, or while that is unreachable, the store of links knows.
    const linkId = order?.linkId ?? (certificate?.ofLink ? await linkOf(orderNo) : undefined);
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
      ...(linkId !== undefined && linkId !== "" && { linkId }),
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
