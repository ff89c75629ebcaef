import type { Call } from "../calls/call.ts";
import type { Language } from "../domain/messages.ts";
import type { UploadedOrder, WebLaunches } from "../handlers/prepare-web-launch.ts";
import type { JointWork } from "../launches/joint-work.ts";
import type { Clock } from "../lib/clock.ts";
import type { WebDevice } from "../upstream/web-launch.ts";
import type { LinkEvents } from "./events.ts";
import { isOver, type Link, pendingOf, planStart, withAttempt, withRelaunch } from "./link.ts";
import type { Settle } from "./settle.ts";
import { found, type LinkStore } from "./store.ts";

export interface StartOptions {
  store: LinkStore;
  settle: Settle;
  launches: WebLaunches;
  /** Presses of one link's button within two seconds are one, in any process. */
  presses: JointWork<Started>;
  /** Where the vendor sends the browser at the end. */
  callbackUrl: (linkId: string) => string;
  clock: Clock;
  events: Pick<LinkEvents, "linkLaunched">;
}

/** A press of the button. */
export interface Press {
  id: string;
  device: WebDevice;
  /** The language that the person chose; undefined for the browser's own. */
  language: Language | undefined;
}

/** What the button did: `url` starts the vendor's page; without one there is nothing to start. */
export interface Started {
  url: string | undefined;
}

/** How long a press of the button answers the next one too, milliseconds. */
export const ONE_PRESS_MS = 2_000;

/** The link has ended while its launch was being prepared. */
class LinkClosed extends Error {
  override readonly name = "LinkClosed";
}

/**
 * The button: the only place where a link asks the vendor for anything. Rejects with ServiceError LINK_NOT_FOUND, and as the
 * launch does.
 */
export function createStart(options: StartOptions) {
  const { store, settle, launches, presses, callbackUrl, clock, events } = options;

  /** A new attempt; undefined if the link has ended meanwhile. */
  async function attempt(link: Link, { device, language }: Press, call: Call): Promise<string | undefined> {
    const { id: linkId, userId, person, reference } = link;
    const identity = await store.identity(linkId);
    // It expires with the link, by the store's clock.
    if (!identity) return undefined;
    async function accept(order: UploadedOrder): Promise<void> {
      let begun = false;
      const begin = (current: Link) => {
        const next = withAttempt(current, { ...order, language }, clock.now());
        begun = next !== undefined;
        return next;
      };
      await Promise.all([store.change(linkId, begin), store.nameOrder(order.orderNo, link)]);
      if (!begun) throw new LinkClosed("the link has ended");
    }
    const page = { device, callbackUrl: callbackUrl(linkId) };
    try {
      return await launches.prepare({ ...identity, userId, person, reference, linkId }, page, accept, call);
    } catch (error) {
      if (error instanceof LinkClosed) return undefined;
      throw error;
    }
  }

  /** Another launch of the last attempt's order; undefined if that may not be launched any more. */
  async function relaunch(link: Link, orderNo: string, { device }: Press, call: Call) {
    let last: Link["attempts"][number] | undefined;
    await store.change(link.id, (current) => {
      const next = withRelaunch(current, orderNo, clock.now());
      last = next?.attempts.at(-1);
      return next;
    });
    if (!last) return undefined;
    const { faceId, optimalHost } = last;
    const { userId, person } = link;
    const page = { device, callbackUrl: callbackUrl(link.id) };
    return launches.again({ orderNo, faceId, optimalHost, userId, person }, page, call);
  }

  async function handle(press: Press, call: Call): Promise<Started> {
    const known = found(await store.find(press.id));
    call.note({ person: known.person });
    const link = isOver(known) ? known : await settle.ask(known, pendingOf(known, clock.now()), call);
    const plan = planStart(link, clock.now());
    if (plan.kind === "closed") return { url: undefined };
    const url =
      plan.kind === "relaunch"
        ? await relaunch(link, plan.attempt.orderNo, press, call)
        : await attempt(link, press, call);
    if (url !== undefined) events.linkLaunched({ device: press.device, again: plan.kind === "relaunch" });
    return { url };
  }

  return async (press: Press, call: Call): Promise<Started> => {
    const { attempts } = found(await store.find(press.id));
    // A person who is back already, as from a browser without a camera, presses for another launch.
    const ended = attempts.filter(({ back, outcome }) => back ?? outcome).length;
    const key = `link press\0${press.id}\0${ended}`;
    return presses.join(key, call.signal, (signal) => handle(press, { ...call, signal }));
  };
}
