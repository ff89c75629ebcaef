import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type GetFaceParamsRequest,
  type GetFaceParamsResponse,
  GetFaceParamsResponseSchema,
  PhotoType,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Call } from "../calls/call.ts";
import type { OrderNumbers } from "../domain/order-number.ts";
import { PROTOCOL_VERSION } from "../domain/version.ts";
import { Pii } from "../lib/redacted.ts";
import type { LaunchRecord, Orders } from "../orders/orders.ts";
import type { Upload, UpstreamClient } from "../upstream/client.ts";
import type { Signer } from "../upstream/signer.ts";
import {
  bothOrNeither,
  createNonceTickets,
  FACE_ID_LIFE_MS,
  type NonceTicketsOptions,
} from "./launch-steps.ts";
import { withValidPair } from "./with-valid-pair.ts";

export interface PrepareLaunchOptions extends NonceTicketsOptions {
  appId: string;
  /** The SDK licence handed to the app; "" for none. */
  licence: string;
  livemode: boolean;
  orderNumbers: OrderNumbers;
  signer: Signer;
  createNonce: () => string;
  upstream: Pick<UpstreamClient, "upload" | "fetchNonceTicket">;
  orders: Pick<Orders, "begin">;
  /** Counts a launch for the person with this pseudonym; throws ServiceError RATE_LIMITED. */
  admit: (person: string) => Promise<void>;
}

/** Prepares one launch; `person` is the pseudonym of the request's ID number. */
export type PrepareLaunch = (
  request: GetFaceParamsRequest,
  person: string,
  call: Call,
) => Promise<GetFaceParamsResponse>;

/**
 * GetFaceParams: one identity upload and one NONCE ticket, requested in parallel, and the launch signature.
 */
export function createPrepareLaunch(options: PrepareLaunchOptions): PrepareLaunch {
  const { appId, licence, livemode, orderNumbers, signer, createNonce, tickets, upstream, orders } = options;
  const { admit, clock } = options;
  const fetchNonceTicket = createNonceTickets(options);

  function uploadIdentity(
    { orderNo: suppliedOrderNo, ...person }: Person,
    { userId, reference }: { userId: string; reference: string },
    { caller, note }: Call,
    record: LaunchRecord,
    signal: AbortSignal,
  ) {
    return withValidPair(tickets, signal, async (pair) => {
      const withPhoto = person.photo !== undefined;
      // An order number is valid for one upload, so a second attempt mints another (protocol.md 4.4).
      const orderNo = suppliedOrderNo || orderNumbers.mint(caller.subject, clock.now(), withPhoto);
      note({ order_no: orderNo });
      const order = { orderNo, userId, reference, linkId: "", withPhoto };
      // Written while the vendor is asked.
      if (suppliedOrderNo === "") record.minted(order);
      const nonce = createNonce();
      const sign = signer.upload({ userId, nonce }, pair.signTicket);
      const upload = { ...person, orderNo, userId, nonce, sign };
      const sentAt = clock.monotonic();
      const { faceId } = await upstream.upload(upload, signal);
      // It may be an earlier launch's until the vendor has accepted it.
      if (suppliedOrderNo !== "") record.accepted(order);
      return { orderNo, faceId, expiresAt: sentAt + FACE_ID_LIFE_MS };
    });
  }

  async function launch(
    request: GetFaceParamsRequest,
    userId: string,
    call: Call,
    record: LaunchRecord,
  ): Promise<GetFaceParamsResponse> {
    const named = { userId, reference: request.reference };
    const [{ orderNo, ...face }, ticket] = await bothOrNeither(
      call.signal,
      (signal) => uploadIdentity(personOf(request), named, call, record, signal),
      (signal) => fetchNonceTicket(userId, signal),
    );
    await record.durable();
    const nonce = createNonce();
    const startInMs = Math.min(face.expiresAt, ticket.expiresAt) - clock.monotonic();
    call.note({ launch_within_ms: Math.round(startInMs) });
    const now = clock.now();
    return create(GetFaceParamsResponseSchema, {
      orderNo,
      faceId: face.faceId,
      appId,
      version: PROTOCOL_VERSION,
      nonce,
      userId,
      sign: signer.launch({ userId, nonce }, ticket.value),
      licence,
      startBefore: timestampFromMs(Math.floor(now + startInMs)),
      serverTime: timestampFromMs(now),
      livemode,
    });
  }

  return async (request, person, call) => {
    await admit(person);
    const record = orders.begin();
    try {
      return await launch(request, request.userId || person, call, record);
    } catch (error) {
      record.discard();
      throw error;
    }
  };
}

type Person = Pick<Upload, "orderNo" | "name" | "idNo" | "photo">;

/** The person to verify, masked from here on. */
function personOf({ orderNo, name, idNo, photo, photoType }: GetFaceParamsRequest): Person {
  const type = photoType === PhotoType.WATERMARKED ? "1" : "2";
  return {
    orderNo,
    name: new Pii(name),
    idNo: new Pii(idNo),
    photo: photo.length === 0 ? undefined : { bytes: new Pii(photo), type },
  };
}
