import { readFileSync } from "node:fs";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { VerificationLinkState } from "../../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../../gen/faceverification/v1/verdict_pb.ts";
import type { Pipeline } from "../../calls/pipeline.ts";
import { withLinkId } from "../../domain/return-url.ts";
import { enumName } from "../../domain/verdict.ts";
import { ErrorReason, ServiceError } from "../../errors.ts";
import type { Links } from "../../links/links.ts";
import { type BrowserErrorsOptions, createErrorAnswers } from "./errors.ts";
import { createPageModel, type PageModelOptions, versionOf } from "./page-model.ts";
import { linkPage } from "./pages.ts";
import {
  type BrowserQuery,
  callbackOf,
  incomingVisit,
  isAdvance,
  isCrossSite,
  languageFor,
  once,
} from "./requests.ts";

export interface BrowserOptions extends BrowserErrorsOptions, Omit<PageModelOptions, "urlOf"> {
  links: Links;
  /** For visitors, who have no credential. */
  pipeline: Pipeline;
  /** The vendor's base URL as browsers reach it: the button leads there. */
  vendorUrl: string;
}

type Visit = FastifyRequest<{ Params: { id: string } }>;

const ID = /^[0-9A-Za-z]{22}$/;
const HTML = "text/html; charset=utf-8";
/** Max size of the form of a button, which is empty, bytes. */
const FORM_LIMIT = 1_024;
const FORM = "application/x-www-form-urlencoded";
/** The files of all pages. */
const FILES = { "page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml" } as const;

/**
 * The browser door: pages of verification links (docs/links.md). Whatever a browser says here is a hint, and no page ever holds
 * a URL of the vendor's, which would be prefetched, and so spent, before the person has seen it.
 */
export function createBrowserRoutes(options: BrowserOptions) {
  const { links, pipeline, publicUrl, pcCamera, vendorUrl } = options;
  const ownOrigin = new URL(publicUrl).origin;
  const model = createPageModel({ ...options, urlOf: (link) => links.urlOf(link) });
  const errors = createErrorAnswers(options);
  const view = pipeline.route("ViewLink", (id: string) => links.view(id));
  const start = pipeline.route("StartLink", (press: Parameters<Links["start"]>[0], call) =>
    links.start(press, call),
  );
  const comeBack = pipeline.route(
    "ReturnToLink",
    ({ id, query }: { id: string; query: BrowserQuery }, call) => links.comeBack(id, callbackOf(query), call),
  );

  /** To the page, in the language that was chosen there. */
  const toPage = (id: string, language: string | undefined, reply: FastifyReply) =>
    reply.redirect(`../${id}${language === undefined ? "" : `?lang=${language}`}`, 303);

  /** The vendor's page starts by a press of the button alone. */
  async function press(request: Visit, reply: FastifyReply): Promise<FastifyReply> {
    const id = idOf(request);
    if (isCrossSite(request.headers, ownOrigin)) {
      throw new ServiceError(ErrorReason.PERMISSION_DENIED, "a page of another site asked");
    }
    const { language, chosen } = languageFor(request);
    const lang = chosen ? language : undefined;
    const device = pcCamera && once(request.query as BrowserQuery, "device") === "pc" ? "pc" : "mobile";
    const { url } = await errors.counted(
      start({ id, device, language: lang }, incomingVisit(request, reply)),
    );
    return url === undefined ? toPage(id, lang, reply) : reply.redirect(url, 303);
  }

  /** Only a first return goes on to the caller's page: one that is repeated shows how the link stands. */
  async function back(request: Visit, reply: FastifyReply): Promise<FastifyReply> {
    const id = idOf(request);
    if (isAdvance(request)) return toPage(id, undefined, reply);
    const visit = { id, query: request.query as BrowserQuery };
    const { link, news, language } = await errors.counted(comeBack(visit, incomingVisit(request, reply)));
    const isDone = link.judgement !== undefined || link.state === VerificationLinkState.RETURNED;
    if (!news || !isDone || link.returnUrl === "") return toPage(id, language, reply);
    return reply.redirect(withLinkId(link.returnUrl, id), 303);
  }

  return async (app: FastifyInstance): Promise<void> => {
    const headers = headersFor(new URL(vendorUrl).origin);
    app.removeAllContentTypeParsers();
    // A button's form has no fields; a body of another type is no form of ours.
    app.addContentTypeParser(FORM, { parseAs: "buffer", bodyLimit: FORM_LIMIT }, (_request, _body, done) =>
      done(null),
    );
    app.addHook("onRequest", (_request, reply, done) => {
      void reply.headers(headers);
      done();
    });
    app.setErrorHandler<FastifyError>((error, request, reply) => errors.answer(error, request, reply));

    for (const [name, type] of Object.entries(FILES)) {
      const content = readFileSync(new URL(`static/${name}`, import.meta.url));
      app.get(`/v/${name}`, (_request, reply) => reply.type(type).send(content));
    }
    app.get("/v/:id", async (request: Visit, reply) => {
      const link = await errors.counted(view(idOf(request), incomingVisit(request, reply)));
      return reply.type(HTML).send(linkPage(await model(link, request)));
    });
    // Without an access line: an open page asks every second.
    app.get("/v/:id/state", async (request: Visit, reply) => {
      const link = await links.view(idOf(request));
      const state = enumName(VerificationLinkState, link.state);
      const verdict = link.judgement && enumName(Verdict, link.judgement.verdict);
      return reply.send({ state, ...(verdict !== undefined && { verdict }), version: versionOf(link) });
    });
    app.post("/v/:id/start", press);
    app.get("/v/:id/return", back);
    // Opened by hand: there is nothing to see.
    app.get("/v/:id/start", async (request: Visit, reply) => toPage(idOf(request), undefined, reply));
    app.get("/v/*", () => {
      throw new ServiceError(ErrorReason.ROUTE_NOT_FOUND, "there is no such page");
    });
  };
}

/** The link's id; throws LINK_NOT_FOUND for what cannot be one. */
function idOf({ params }: Visit): string {
  if (ID.test(params.id)) return params.id;
  throw new ServiceError(ErrorReason.LINK_NOT_FOUND, "not the id of a link");
}

/**
 * Headers of every page. A form may lead to any https page, because browsers apply the rule to every redirect that follows, and
 * those of the vendor are its own business.
 */
const headersFor = (vendorOrigin: string) => ({
  "content-security-policy": [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    `form-action 'self' https:${vendorOrigin.startsWith("http:") ? " http:" : ""}`,
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex, nofollow",
});
