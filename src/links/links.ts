import type { VerificationLinkState } from "../../gen/faceverification/v1/link_pb.ts";
import type { Call } from "../calls/call.ts";
import type { Language } from "../domain/messages.ts";
import type { Judgement } from "../domain/verdict.ts";
import type { WebLaunches } from "../handlers/prepare-web-launch.ts";
import type { OutcomeReader } from "../handlers/read-outcome.ts";
import { createJointWork } from "../launches/joint-work.ts";
import type { LaunchStore } from "../launches/store.ts";
import { randomBase62 } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import type { LinkEvents } from "./events.ts";
import { isOver, judgementOf, type Link, pendingOf, stateOf, withRevocation } from "./link.ts";
import { type Callback, createReturn, type ReturnOptions } from "./return.ts";
import { createSettle, noteUnanswered } from "./settle.ts";
import { createStart, ONE_PRESS_MS } from "./start.ts";
import { createLinkStore, found, type LinkIdentity } from "./store.ts";

export interface LinksOptions extends Pick<ReturnOptions, "signer" | "tickets"> {
  /** PUBLIC_URL, without a trailing slash. */
  publicUrl: string;
  /** Rejects while it is unreachable. */
  store: LaunchStore;
  /** For what the store must not show. */
  pseudonym: (text: string) => string;
  launches: WebLaunches;
  outcomes: OutcomeReader;
  clock: Clock;
  events: LinkEvents;
}

/** What a caller says of a new link. */
export interface NewLink extends Pick<Link, "userId" | "person" | "reference" | "returnUrl" | "maxAttempts"> {
  identity: LinkIdentity;
  lifeMs: number;
  /** The caller's request id with the caller's name; "" for none. */
  request: string;
  /** Everything that distinguishes one request from another. */
  fields: string;
}

/** A link, and how far it has come. */
export interface LinkView extends Link {
  state: VerificationLinkState;
  /** Undefined unless the state is COMPLETED. */
  judgement: Judgement | undefined;
}

/**
 * Verification links. Every method rejects with ServiceError LINKS_UNAVAILABLE while the store is unreachable, and all but
 * `create` and `linkOf` with LINK_NOT_FOUND.
 */
export interface Links {
  urlOf(link: Link): string;
  /** Throws ServiceError REQUEST_ID_REUSED. */
  create(link: NewLink): Promise<LinkView>;
  /** With the vendor asked about attempts that have no outcome yet; if it cannot be asked, as the link is known. */
  look(id: string, call: Call): Promise<LinkView>;
  /** The link as it is known, without a call to the vendor. */
  view(id: string): Promise<LinkView>;
  revoke(id: string): Promise<LinkView>;
  /** The button; see `createStart`. */
  start: ReturnType<typeof createStart>;
  /** The person's return; see `createReturn`. `language`: as it was chosen before the attempt. */
  comeBack(
    id: string,
    callback: Callback,
    call: Call,
  ): Promise<{ link: LinkView; news: boolean; language: Language | undefined }>;
  /** The link of an order; undefined also while the store is unreachable. */
  linkOf(orderNo: string): Promise<string | undefined>;
}

/** 22 characters of base 62 are 130 random bits. */
const ID_LENGTH = 22;
/** Age from which an attempt is asked about before the person is back, milliseconds: hardly any capture is faster. */
const FIRST_LOOK_MS = 20_000;

export function createLinks(options: LinksOptions): Links {
  const { publicUrl, pseudonym, clock } = options;
  const store = createLinkStore(options);
  const settle = createSettle({ ...options, store });
  const urlOf = (id: string) => `${publicUrl}/v/${id}`;
  /** Work that is done once in two seconds. */
  const jointly = <T>() =>
    createJointWork<T>({
      store: options.store,
      clock,
      write: (result) => JSON.stringify(result),
      read: (text) => JSON.parse(text) as T,
      lifeMs: () => ONE_PRESS_MS,
      lingerMs: ONE_PRESS_MS,
    });

  const comeBack = createReturn({ ...options, store, settle, returns: jointly() });
  const viewOf = (link: Link): LinkView => ({
    ...link,
    state: stateOf(link, clock.now()),
    judgement: judgementOf(link),
  });

  async function create({ identity, lifeMs, request, fields, ...given }: NewLink): Promise<Link> {
    const createdAt = clock.now();
    const id = randomBase62(ID_LENGTH);
    const link: Link = { id, ...given, createdAt, expiresAt: createdAt + lifeMs, attempts: [] };
    await store.create(link, identity);
    if (request === "") return link;
    try {
      const owner = await store.claimRequest(request, pseudonym(`link fields\0${fields}`), link);
      if (owner === id) return link;
      const [other] = await Promise.all([store.find(owner), store.discard(id)]);
      return found(other);
    } catch (error) {
      await store.discard(id);
      throw error;
    }
  }

  async function look(id: string, call: Call): Promise<Link> {
    const link = await settle.recorded(found(await store.find(id)));
    const now = clock.now();
    const pending = pendingOf(link, now).filter(
      ({ back, startedAt }) => back !== undefined || now - startedAt >= FIRST_LOOK_MS,
    );
    try {
      return await settle.ask(link, pending, call);
    } catch (error) {
      noteUnanswered(error, call);
      return link;
    }
  }

  return {
    urlOf: ({ id }) => urlOf(id),
    create: async (link) => viewOf(await create(link)),
    look: async (id, call) => viewOf(await look(id, call)),
    view: async (id) => viewOf(await settle.recorded(found(await store.find(id)))),
    async revoke(id) {
      const link = found(await store.change(id, (current) => withRevocation(current, clock.now())));
      if (isOver(link)) await store.forget(id);
      return viewOf(link);
    },

    start: createStart({
      ...options,
      store,
      settle,
      presses: jointly(),
      callbackUrl: (id) => `${urlOf(id)}/return`,
    }),
    async comeBack(id, callback, call) {
      const { link, news } = await comeBack(id, callback, call);
      const { language } = found(link.attempts.find(({ orderNo }) => orderNo === callback.orderNo));
      return { link: viewOf(link), news, language };
    },

    linkOf: (orderNo) => store.linkOf(orderNo).catch(() => undefined),
  };
}
