import { timingSafeEqual } from "node:crypto";
import type { Call } from "../calls/call.ts";
import { codeEntry, isFrontEnd } from "../domain/codes.ts";
import type { JointWork } from "../launches/joint-work.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketReader } from "../tickets/reader.ts";
import type { Signer } from "../upstream/signer.ts";
import type { LinkEvents } from "./events.ts";
import { type Link, withReturn } from "./link.ts";
import { noteUnanswered, type Settle } from "./settle.ts";
import { found, type LinkStore } from "./store.ts";

export interface ReturnOptions {
  store: LinkStore;
  settle: Settle;
  signer: Pick<Signer, "callback">;
  tickets: Pick<TicketReader, "signTickets">;
  /** Visits with one order number within two seconds have the vendor asked once, in any process. */
  returns: JointWork<true>;
  clock: Clock;
  events: Pick<LinkEvents, "linkReturned" | "callbackForged">;
}

/** What the browser brings along (protocol.md 6.5 and 9); every one of them may be anybody's invention. */
export interface Callback {
  orderNo: string;
  code: string;
  /** `newSignature`, or `newSign` on a computer; undefined if there is none. */
  signature: string | undefined;
}

/** A verdict may follow its callback by a moment: looks at most, and the time between them, milliseconds. */
const LOOKS = 3;
const LOOK_GAP_MS = 1_000;

/** All codes are short integers (protocol.md 8). */
const CODE = /^-?\d{1,10}$/;

/**
 * The person's return. Whatever the callback says, it is a hint: it has the vendor asked, whose answer alone is a verdict.
 * Resolves to the link as it is then; `news` is false for a visit that changed nothing. Rejects with ServiceError
 * LINK_NOT_FOUND for an order that is not of this link; a vendor that cannot be asked is noted, and leaves the link as it is.
 */
export function createReturn(options: ReturnOptions) {
  const { store, settle, signer, tickets, returns, clock, events } = options;

  /** Against every ticket of the last hour: the vendor may have signed right before the last rotation. */
  function isSigned({ orderNo, code, signature }: Callback): boolean {
    // All of them are compared, so that the time taken tells nothing.
    const expected = tickets.signTickets().map((ticket) => signer.callback({ orderNo, code }, ticket));
    return expected.filter((each) => same(signature?.toUpperCase() ?? "", each)).length > 0;
  }

  async function ask(link: Link, orderNo: string, waits: boolean, call: Call): Promise<true> {
    let settled = link;
    for (let look = 1; ; look++) {
      const attempt = settled.attempts.find((each) => each.orderNo === orderNo);
      if (!attempt) return true;
      settled = await settle.ask(settled, [attempt], call);
      const known = settled.attempts.find((each) => each.orderNo === orderNo)?.outcome;
      if (!waits || look === LOOKS || known?.code !== NO_RECORD) return true;
      await clock.sleep(LOOK_GAP_MS, call.signal);
    }
  }

  return async (id: string, callback: Callback, call: Call): Promise<{ link: Link; news: boolean }> => {
    const { orderNo, signature } = callback;
    const code = CODE.test(callback.code) ? callback.code : "";
    const link = found(await store.find(id));
    found(link.attempts.find((attempt) => attempt.orderNo === orderNo));
    call.note({ order_no: orderNo, person: link.person });
    const signed = code !== "" && isSigned({ orderNo, code, signature });
    const mark = signature === undefined ? "missing" : signed ? "valid" : "wrong";
    const kind = code === "" ? "malformed" : codeEntry(code).codeClass;
    events.linkReturned({ orderNo, kind, signature: mark });
    if (code === "0" && mark !== "valid") events.callbackForged({ orderNo, signature: mark });

    let news = false;
    const returned = await store.change(id, (current) => {
      const next = withReturn(current, orderNo, { code, signed }, clock.now());
      news = next !== undefined;
      return next;
    });
    const now = found(returned);
    // One that came before, and whose verdict could not be read then.
    const isOpen = !isAnswered(now, orderNo);
    if (!news && !isOpen) return { link: now, news };
    try {
      // Without a capture there will be no record, however long one waits.
      const waits = signed && !isFrontEnd(code);
      const key = `link return\0${id}\0${orderNo}\0${String(signed)}`;
      await returns.join(key, call.signal, (signal) => ask(now, orderNo, waits, { ...call, signal }));
      const settled = found(await store.find(id));
      // Without a signature the vendor may know of a verdict all the same.
      return { link: settled, news: news || (isOpen && isAnswered(settled, orderNo)) };
    } catch (error) {
      noteUnanswered(error, call);
      return { link: now, news };
    }
  };
}

/** No such result (protocol.md 8.2). */
const NO_RECORD = "66660011";

const isAnswered = ({ attempts }: Link, orderNo: string) =>
  attempts.some((each) => each.orderNo === orderNo && each.outcome !== undefined);

/** Constant in time for texts of one length, which signatures have. */
function same(some: string, other: string): boolean {
  const [a, b] = [Buffer.from(some), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
