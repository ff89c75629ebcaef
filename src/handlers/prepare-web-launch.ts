import type { Call } from "../calls/call.ts";
import type { OrderNumbers } from "../domain/order-number.ts";
import type { Pii } from "../lib/redacted.ts";
import type { LaunchRecord, Orders } from "../orders/orders.ts";
import type { Uploaded, UpstreamClient } from "../upstream/client.ts";
import type { Edition } from "../upstream/editions.ts";
import type { Signer } from "../upstream/signer.ts";
import type { WebLaunch } from "../upstream/web-launch.ts";
import { bothOrNeither, createNonceTickets, type NonceTicketsOptions } from "./launch-steps.ts";
import { withValidPair } from "./with-valid-pair.ts";

export interface PrepareWebLaunchOptions extends NonceTicketsOptions {
  edition: Edition;
  orderNumbers: Pick<OrderNumbers, "mintForLink">;
  signer: Pick<Signer, "upload" | "webUpload" | "webLaunch">;
  createNonce: () => string;
  upstream: Pick<UpstreamClient, "upload" | "webUpload" | "fetchNonceTicket">;
  orders: Pick<Orders, "begin">;
  /** Counts a launch for the person with this pseudonym; throws ServiceError RATE_LIMITED. */
  admit: (person: string) => Promise<void>;
  /** The URL that starts the vendor's page. */
  launchUrl: (launch: WebLaunch) => string;
}

/** The person to verify, and whose attempt it is. */
export interface WebPerson {
  name: Pii;
  idNo: Pii;
  userId: string;
  /** Pseudonym of the ID number. */
  person: string;
  reference: string;
  linkId: string;
}

/** An order whose identity has been uploaded; `startedAt`: before the upload, wall-clock milliseconds. */
export interface UploadedOrder extends Uploaded {
  orderNo: string;
  startedAt: number;
}

/** The page to launch. */
export type WebPage = Pick<WebLaunch, "device" | "callbackUrl">;

/** Launches of the vendor's H5 pages. */
export interface WebLaunches {
  /**
   * Prepares an attempt: one identity upload and one NONCE ticket, in parallel. Resolves to the URL that starts the page, good
   * once and for 120 seconds, when `accept` has taken the order; if that rejects, there was no attempt.
   */
  prepare(
    person: WebPerson,
    page: WebPage,
    accept: (order: UploadedOrder) => Promise<void>,
    call: Call,
  ): Promise<string>;
  /** Another launch of an order whose faceId has not been used. */
  again(
    order: Omit<UploadedOrder, "startedAt"> & Pick<WebPerson, "userId" | "person">,
    page: WebPage,
    call: Call,
  ): Promise<string>;
}

export function createWebLaunches(options: PrepareWebLaunchOptions): WebLaunches {
  const { edition, orderNumbers, signer, createNonce, tickets, upstream, orders, admit, launchUrl } = options;
  const { clock } = options;
  const fetchNonceTicket = createNonceTickets(options);

  function uploadIdentity(
    { name, idNo, userId, reference, linkId }: WebPerson,
    record: LaunchRecord,
    { note }: Call,
    signal: AbortSignal,
  ): Promise<UploadedOrder> {
    return withValidPair(tickets, signal, async ({ signTicket }) => {
      const startedAt = clock.now();
      // An order number is valid for one upload, so a second attempt mints another (protocol.md 4.4).
      const orderNo = orderNumbers.mintForLink(startedAt);
      note({ order_no: orderNo });
      record.minted({ orderNo, userId, reference, linkId, withPhoto: false });
      const upload = { orderNo, name, idNo, userId };
      if (edition === "basic") {
        const signed = { orderNo, name: name.reveal(), idNo: idNo.reveal(), userId };
        const sign = signer.webUpload(signed, signTicket);
        return { orderNo, startedAt, ...(await upstream.webUpload({ ...upload, sign }, signal)) };
      }
      const nonce = createNonce();
      const sign = signer.upload({ userId, nonce }, signTicket);
      return { orderNo, startedAt, ...(await upstream.upload({ ...upload, nonce, sign }, signal)) };
    });
  }

  function signedUrl(
    order: Omit<UploadedOrder, "startedAt"> & { userId: string },
    page: WebPage,
    ticket: Awaited<ReturnType<typeof fetchNonceTicket>>,
  ): string {
    const { orderNo, faceId, optimalHost, userId } = order;
    const nonce = createNonce();
    const sign = signer.webLaunch({ userId, orderNo, faceId, nonce }, ticket.value);
    return launchUrl({ ...page, orderNo, faceId, optimalHost, userId, nonce, sign });
  }

  return {
    async prepare(person, page, accept, call) {
      const { userId } = person;
      await admit(person.person);
      const record = orders.begin();
      try {
        const [order, ticket] = await bothOrNeither(
          call.signal,
          (signal) => uploadIdentity(person, record, call, signal),
          (signal) => fetchNonceTicket(userId, signal),
        );
        await accept(order);
        await record.durable();
        return signedUrl({ ...order, userId }, page, ticket);
      } catch (error) {
        record.discard();
        throw error;
      }
    },

    async again(order, page, call) {
      await admit(order.person);
      call.note({ order_no: order.orderNo });
      const ticket = await fetchNonceTicket(order.userId, call.signal);
      return signedUrl(order, page, ticket);
    },
  };
}
