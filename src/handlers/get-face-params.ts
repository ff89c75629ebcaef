import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type GetFaceParamsRequest,
  type GetFaceParamsResponse,
  GetFaceParamsResponseSchema,
  PhotoType,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Orders } from "../domain/order.ts";
import { PROTOCOL_VERSION } from "../domain/version.ts";
import { UpstreamError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Signer } from "../signing/signer.ts";
import type { TicketPair, TicketReader } from "../tickets/reader.ts";
import type { Credential, UpstreamClient } from "../upstream/client.ts";
import type { Call, Handler } from "./call.ts";
import { withUsablePair } from "./refusal.ts";

export interface GetFaceParamsOptions {
  appId: string;
  /** The SDK licence handed to the app; "" for none. */
  licence: string;
  livemode: boolean;
  orders: Orders;
  signer: Signer;
  createNonce: () => string;
  tickets: TicketReader;
  upstream: Pick<UpstreamClient, "upload" | "fetchNonceTicket">;
  clock: Clock;
}

/** How long a faceId lives, milliseconds (protocol.md 4.3). */
const FACE_ID_LIFE_MS = 5 * 60 * 1000;
/** One NONCE ticket in two seconds for each user (protocol.md 8.2, 400504), and a little for the way. */
const NONCE_SPACING_MS = 2_050;

interface Launch {
  orderNo: string;
  faceId: string;
  nonceTicket: Credential;
  /** Until when the SDK may be started, on the monotonic clock. */
  startBefore: number;
}

/** GetFaceParams: one identity upload and one NONCE ticket, asked for at the same time, and the launch signature. */
export function createGetFaceParams(
  options: GetFaceParamsOptions,
): Handler<GetFaceParamsRequest, GetFaceParamsResponse> {
  const { appId, licence, livemode, orders, signer, createNonce, tickets, upstream, clock } = options;

  async function prepare(
    pair: TicketPair,
    request: GetFaceParamsRequest,
    userId: string,
    call: Call,
  ): Promise<Launch> {
    const askedAt = clock.monotonic();
    // An order number serves one upload, so a second attempt gets a second one (protocol.md 4.4).
    const orderNo = request.orderNo || orders.mint(call.caller.subject, clock.now());
    const [faceId, nonceTicket] = await bothOrNeither(
      call.signal,
      (signal) => {
        const nonce = createNonce();
        const sign = signer.upload({ userId, nonce }, pair.signTicket);
        const { name, idNo } = request;
        return upstream.upload({ orderNo, name, idNo, userId, nonce, sign, photo: photoOf(request) }, signal);
      },
      (signal) => nonceTicketFor(pair, userId, signal),
    );
    const startBefore = Math.min(
      askedAt + FACE_ID_LIFE_MS,
      askedAt + nonceTicket.lifeMs,
      tickets.safeUntil(pair),
    );
    return { orderNo, faceId, nonceTicket, startBefore };
  }

  async function nonceTicketFor(pair: TicketPair, userId: string, signal: AbortSignal): Promise<Credential> {
    try {
      return await upstream.fetchNonceTicket(pair.accessToken, userId, signal);
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.code !== "400504") throw error;
      await clock.sleep(NONCE_SPACING_MS, signal);
      return upstream.fetchNonceTicket(pair.accessToken, userId, signal);
    }
  }

  return async (request, call) => {
    const userId = request.userId || orders.userIdOf(request.idNo);
    const launch = await withUsablePair(tickets, call.signal, (pair) => prepare(pair, request, userId, call));
    call.note({ order_no: launch.orderNo });
    const nonce = createNonce();
    const atWallClock = (monotonic: number): Timestamp =>
      timestampFromMs(Math.floor(clock.now() + monotonic - clock.monotonic()));
    return create(GetFaceParamsResponseSchema, {
      orderNo: launch.orderNo,
      faceId: launch.faceId,
      appId,
      version: PROTOCOL_VERSION,
      nonce,
      userId,
      sign: signer.launch({ userId, nonce }, launch.nonceTicket.value),
      licence,
      startBefore: atWallClock(launch.startBefore),
      serverTime: atWallClock(clock.monotonic()),
      livemode,
    });
  };
}

/** Runs both at once; when one fails, the other is cancelled and the first failure is thrown. */
async function bothOrNeither<A, B>(
  outer: AbortSignal,
  first: (signal: AbortSignal) => Promise<A>,
  second: (signal: AbortSignal) => Promise<B>,
): Promise<[A, B]> {
  const half = new AbortController();
  const signal = AbortSignal.any([outer, half.signal]);
  try {
    return await Promise.all([first(signal), second(signal)]);
  } catch (error) {
    half.abort(error);
    throw error;
  }
}

function photoOf({ photo, photoType }: GetFaceParamsRequest) {
  if (photo.length === 0) return undefined;
  return { bytes: photo, type: photoType === PhotoType.WATERMARKED ? "1" : "2" } as const;
}
