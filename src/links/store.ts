import { requestIdReused } from "../domain/request-id.ts";
import { ErrorReason, ServiceError, storeFailure } from "../errors.ts";
import type { LaunchStore } from "../launches/store.ts";
import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { Pii } from "../lib/redacted.ts";
import type { Link } from "./link.ts";

/** Name and ID number of the person, as they are uploaded. */
export interface LinkIdentity {
  name: Pii;
  idNo: Pii;
}

export interface LinkStoreOptions {
  /** Rejects while it is unreachable. */
  store: Pick<LaunchStore, "claim" | "keep" | "outcome" | "change" | "erase">;
  /** Hides link ids, order numbers and callers from whoever reads the store: an id is all it takes to open a link. */
  pseudonym: (text: string) => string;
  clock: Clock;
}

/**
 * Links in the launch store: one text for the link, replaced as a whole, and one for the identity, which is erased at the
 * link's end or expires with its life. Every method rejects with ServiceError LINKS_UNAVAILABLE while the store is unreachable.
 */
export interface LinkStore {
  create(link: Link, identity: LinkIdentity): Promise<void>;
  /** Undefined for an id that was never given out, and a day after the link's time has passed. */
  find(id: string): Promise<Link | undefined>;
  /** Changes a link atomically; undefined from `next` leaves it as it is. Resolves to the link as it is then. */
  change(id: string, next: (link: Link) => Link | undefined): Promise<Link | undefined>;
  /** Undefined once it is erased. */
  identity(id: string): Promise<LinkIdentity | undefined>;
  /** Erases the identity. */
  forget(id: string): Promise<void>;
  /** Erases a link that was never given out. */
  discard(id: string): Promise<void>;
  /** Notes whose order it is, for `linkOf`. */
  nameOrder(orderNo: string, link: Link): Promise<void>;
  linkOf(orderNo: string): Promise<string | undefined>;
  /**
   * Makes `link`, which must be there, what `request` stands for, for the link's life; resolves to the id that it stands for,
   * which is another's if that came first. Throws ServiceError REQUEST_ID_REUSED if that had other parameters, by `print`.
   */
  claimRequest(request: string, print: string, link: Link): Promise<string>;
}

/** What was looked for; throws ServiceError LINK_NOT_FOUND if it is not there. */
export function found<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new ServiceError(ErrorReason.LINK_NOT_FOUND, "there is no such link");
}

/** How long a link is known after its time has passed, milliseconds. */
const KEPT_MS = 24 * 60 * 60_000;

export function createLinkStore({ store, pseudonym, clock }: LinkStoreOptions): LinkStore {
  const nameOf = (kind: "state" | "identity" | "order", text: string) => pseudonym(`link ${kind}\0${text}`);
  const lifeMs = ({ expiresAt }: Link) => Math.max(1, expiresAt - clock.now());
  const keptMs = (link: Link) => Math.max(1, link.expiresAt + KEPT_MS - clock.now());
  const write = (link: Link) => ({ text: JSON.stringify(link), lifeMs: keptMs(link) });
  const read = (text: string | undefined) => (text === undefined ? undefined : (JSON.parse(text) as Link));

  async function asked<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw storeFailure(error, ErrorReason.LINKS_UNAVAILABLE, "the store of links is unreachable");
    }
  }

  return {
    async create(link, { name, idNo }) {
      const identity = JSON.stringify([name.reveal(), idNo.reveal()]);
      const { text, lifeMs: kept } = write(link);
      await asked(
        Promise.all([
          store.keep(nameOf("identity", link.id), identity, lifeMs(link)),
          store.keep(nameOf("state", link.id), text, kept),
        ]),
      );
    },

    find: async (id) => read(await asked(store.outcome(nameOf("state", id)))),

    async change(id, next) {
      const changed = store.change(nameOf("state", id), (text) => {
        const link = read(text);
        const changed = link && next(link);
        return changed && write(changed);
      });
      return read(await asked(changed));
    },

    async identity(id) {
      const text = await asked(store.outcome(nameOf("identity", id)));
      if (text === undefined) return undefined;
      const [name, idNo] = JSON.parse(text) as [string, string];
      return { name: new Pii(name), idNo: new Pii(idNo) };
    },

    forget: (id) => asked(store.erase(nameOf("identity", id))),
    async discard(id) {
      await asked(Promise.all([store.erase(nameOf("identity", id)), store.erase(nameOf("state", id))]));
    },

    nameOrder: (orderNo, link) => asked(store.keep(nameOf("order", orderNo), link.id, keptMs(link))),
    linkOf: (orderNo) => asked(store.outcome(nameOf("order", orderNo))),

    async claimRequest(request, print, link) {
      const token = randomToken();
      // Before the claim: whoever finds that claimed finds the link too.
      await asked(store.keep(token, link.id, lifeMs(link)));
      const owner = await asked(store.claim(`link request\0${request}`, `${token}.${print}`, lifeMs(link)));
      if (owner === undefined) return link.id;
      if (!owner.endsWith(`.${print}`)) throw requestIdReused();
      const [other = ""] = owner.split(".");
      return (await asked(store.outcome(other))) ?? link.id;
    },
  };
}
