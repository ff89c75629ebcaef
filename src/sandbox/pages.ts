import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RETURN_FAULTS } from "./controls/faults.ts";
import { exchange } from "./exchange.ts";
import type { ServerParts } from "./server.ts";
import { messageOf } from "./vendor/reply.ts";
import { SCENARIOS } from "./vendor/scenarios.ts";
import {
  beginVisit,
  endVisit,
  FRONT_END_CODES,
  type SignatureFault,
  type WebPageKind,
  type WebVisit,
} from "./vendor/web.ts";

type Session = FastifyRequest<{ Params: { session: string } }>;

/** Visits that are remembered. */
const MAX_VISITS = 1_000;

/**
 * The vendor's H5 pages (protocol.md 9): the launch, which spends the NONCE ticket and leads to a page, and the page, on which
 * the outcome is chosen in place of a capture, and which sends the browser back with the vendor's signature.
 */
export function addPages(app: FastifyInstance, parts: ServerParts): void {
  const { state, faults, counters } = parts;
  const visits = new Map<string, WebVisit>();
  let last = 0;

  function remember(visit: WebVisit): string {
    const session = `${++last}${state.shape.serial()}`;
    visits.set(session, visit);
    const [oldest] = visits.keys();
    if (visits.size > MAX_VISITS && oldest !== undefined) visits.delete(oldest);
    return session;
  }

  const login = (kind: WebPageKind) => (request: FastifyRequest, reply: FastifyReply) =>
    exchange(
      parts,
      "web_login",
      (call) => {
        const visit = beginVisit(kind, call, state);
        counters.answered("web_login", typeof visit === "string" ? visit : "0");
        if (typeof visit === "string") return { status: 200, html: refusedPage(visit) };
        return { status: 302, location: `/sandbox/h5/${remember(visit)}` };
      },
      request,
      reply,
    );
  app.get("/api/web/login", login("web"));
  app.get("/api/pc/login", login("pc"));

  app.get("/sandbox/h5/:session", (request: Session, reply) => {
    const visit = visits.get(request.params.session);
    const html = visit ? outcomePage(visit, request.params.session) : refusedPage("66660018");
    return reply.type("text/html; charset=utf-8").send(html);
  });
  app.post("/sandbox/h5/:session", (request: Session, reply) => {
    const visit = visits.get(request.params.session);
    const { body } = request;
    const form = new URLSearchParams(typeof body === "string" ? body : "");
    const outcome = form.get("outcome") ?? "";
    const fault = faults.take("web_return")?.kind;
    const location = visit && endVisit(visit, outcome, asReturnFault(fault), state);
    if (location === undefined) return reply.code(400).send({ code: "400", msg: "no such visit or outcome" });
    const { leave } = counters.enter("web_return");
    leave();
    visits.delete(request.params.session);
    return reply.redirect(location, 302);
  });
}

const asReturnFault = (kind: string | undefined) =>
  RETURN_FAULTS.find((each) => each === kind) as SignatureFault | undefined;

function outcomePage({ order }: WebVisit, session: string): string {
  const buttons = [
    ...SCENARIOS.filter(({ at }) => at === "query").map(({ name, zh, en }) => [name, zh, en] as const),
    ...Object.entries(FRONT_END_CODES).map(([code, [zh, en]]) => [code, zh, en] as const),
  ].map(([name, zh, en]) => {
    const mark = name === order.scenario.name ? ' class="first"' : "";
    return `<li><button name="outcome" value="${name}"${mark}><span lang="zh-CN">${zh}</span> <span lang="en">${en}</span></button></li>`;
  });
  return page(`<h1><span lang="zh-CN">沙箱：人脸核身页面</span> <span lang="en">Sandbox: face verification</span></h1>
<p><span lang="zh-CN">这里没有摄像头，也不会核验任何人。请选择结果：</span> <span lang="en">There is no camera, and nobody is verified. Choose the outcome:</span></p>
<form method="post" action="/sandbox/h5/${session}"><ul>${buttons.join("")}</ul></form>`);
}

const refusedPage = (code: string) =>
  page(`<h1>${code}</h1><p role="alert" lang="zh-CN">${messageOf(code)}</p>`);

const page = (body: string) => `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox</title><link rel="icon" href="data:,"><style>
body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem;color:#1b1f24;background:#fff}
ul{list-style:none;padding:0}button{font:inherit;width:100%;margin:.25rem 0;padding:.6rem;text-align:left;color:#1b1f24;background:#f2f4f7;border:1px solid #5c6672}
button.first{border-width:3px;font-weight:600}</style></head><body><main>${body}</main></body></html>
`;
