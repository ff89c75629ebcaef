import { VerificationLinkState } from "../../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../../gen/faceverification/v1/verdict_pb.ts";
import type { Language, Text } from "../../domain/messages.ts";
import { withLinkId } from "../../domain/return-url.ts";
import type { ErrorReason } from "../../errors.ts";
import type { LinkView } from "../../links/links.ts";
import { Html, html } from "./html.ts";
import {
  ASK_HOST,
  BACK_CODES,
  errorWords,
  NEXT_STEPS,
  NOT_FINISHED,
  RETRY_REASONS,
  say,
  WORDS,
} from "./texts.ts";

/** Everything that a page of a link shows. */
export interface PageModel {
  link: LinkView;
  /** Changes with everything that the page shows of the link. */
  version: string;
  language: Language;
  /** Whether the language was chosen on the page, and so is passed on. */
  chosen: boolean;
  /** Who asks: the host that the person goes to, or that of this page. */
  host: string;
  now: number;
  /** On a computer: the link as a QR code, and whether its camera will do. */
  desktop: { qrCode: string; camera: boolean } | undefined;
}

const { WAITING, STARTED, RETURNED, COMPLETED, REVOKED } = VerificationLinkState;

/** The page of a link. */
export function linkPage(model: PageModel): string {
  const { link, version, language, chosen, host } = model;
  const word = (text: Text, values = {}) => say(text, language, { host, ...values });
  const lang = chosen ? language : undefined;

  const button = (text: Text, device: "mobile" | "pc" = "mobile", kind = "main") => {
    const query = new URLSearchParams({ device, ...(lang && { lang }) });
    return html`<form method="post" action="${link.id}/start?${query.toString()}"><button class="${kind}">${word(text)}</button></form>`;
  };

  const returnLink = () =>
    link.returnUrl === ""
      ? undefined
      : html`<p><a class="main" href="${withLinkId(link.returnUrl, link.id)}">${word(WORDS.goOn)}</a></p>`;

  const notice = (text: Text | undefined) => text && html`<p class="notice" role="status">${word(text)}</p>`;

  const said = (heading: Text, how: Text, more?: Html) =>
    html`<h1>${word(heading)}</h1><p role="status">${word(how)}</p>${more}`;

  const phone = (start: Text) => button(start);

  const desktop = ({ qrCode, camera }: NonNullable<PageModel["desktop"]>, start: Text) => html`
<section class="scan"><h2>${word(WORDS.scan)}</h2><p>${word(WORDS.scanHow)}</p>
<div class="qr" role="img" aria-label="${word(WORDS.qrLabel)}">${new Html(qrCode)}</div></section>
${camera ? button(WORDS.onComputer, "pc") : undefined}
<details><summary>${word(WORDS.isPhone)}</summary>${button(start, "mobile", "plain")}</details>`;

  const ways = (start: Text, startHere: Text) =>
    model.desktop ? desktop(model.desktop, startHere) : phone(start);

  const waiting = () => html`<h1>${word(WORDS.asks)}</h1>
${notice(lastTime(link))}
<h2>${word(WORDS.whatHappens)}</h2>
<ol><li>${word(WORDS.stepPage)}</li><li>${word(WORDS.stepCamera)}</li><li>${word(WORDS.stepCompare)}</li></ol>
${ways(WORDS.start, WORDS.startHere)}
<p class="small">${word(WORDS.minutes, { n: minutesLeft(model) })} ${word(WORDS.attempts, { n: link.maxAttempts - link.attempts.length })}</p>`;

  const completed = () => {
    const { verdict, nextStep } = link.judgement ?? {};
    if (verdict === Verdict.PASSED) return said(WORDS.passed, WORDS.passedHow, returnLink());
    return said(WORDS.notPassed, (nextStep && NEXT_STEPS[nextStep]) || ASK_HOST, returnLink());
  };

  const content = () => {
    switch (link.state) {
      case WAITING:
        return waiting();
      case STARTED:
        return said(WORDS.underWay, WORDS.underWayHow, ways(WORDS.reopen, WORDS.reopen));
      case RETURNED:
        return said(WORDS.reading, WORDS.readingHow, button(WORDS.lookAgain));
      case COMPLETED:
        return completed();
      case REVOKED:
        return said(WORDS.revoked, WORDS.revokedHow);
      default:
        return html`<h1>${word(WORDS.expired)}</h1>${notice(lastTime(link))}<p>${word(WORDS.expiredHow)}</p>${returnLink()}`;
    }
  };

  const isOpen = link.state === WAITING || link.state === STARTED || link.state === RETURNED;
  const other = language === "zh" ? "en" : "zh";
  const choice = html`<nav><a href="?lang=${other}" lang="${langTag(other)}" hreflang="${langTag(other)}">${word(WORDS.switchTo)}</a></nav>`;
  const watch = html`<noscript><p class="small">${word(WORDS.noScript)}</p></noscript>
<script src="page.js" data-state="${link.id}/state" data-version="${version}" defer></script>`;
  return layout({ language, root: "", choice, body: html`${content()}${isOpen ? watch : undefined}` });
}

/** The page of a failed request. `back`: where to go on, if anywhere. */
export function errorPage(
  reason: ErrorReason,
  { language, root, back }: { language: Language; root: string; back: string | undefined },
): string {
  const { heading, advice } = errorWords(reason);
  const link = back && html`<p><a class="main" href="${back}">${say(WORDS.back, language)}</a></p>`;
  const body = html`<h1>${say(heading, language)}</h1><p role="alert">${say(advice, language)}</p>${link}`;
  return layout({ language, root, choice: undefined, body });
}

const langTag = (language: Language) => (language === "zh" ? "zh-CN" : "en");

interface Layout {
  language: Language;
  /** From the page's path to the files of all pages. */
  root: string;
  choice: Html | undefined;
  body: Html;
}

// The document's own policy is for forms: under `no-referrer`, which the header says, older browsers send no usable Origin
// (Fetch, "append a request Origin header"). Neither tells another site anything.
const layout = ({ language, root, choice, body }: Layout): string =>
  html`<!doctype html>
<html lang="${langTag(language)}">
<head><meta charset="utf-8"><title>${say(WORDS.title, language)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="same-origin"><meta name="robots" content="noindex">
<meta name="format-detection" content="telephone=no">
<link rel="icon" href="${root}icon.svg"><link rel="stylesheet" href="${root}page.css"></head>
<body><main>${choice}${body}</main></body>
</html>
`.text;

/** Why the last attempt came to nothing; undefined if there was none. */
function lastTime({ attempts }: LinkView): Text | undefined {
  const last = attempts.at(-1);
  if (!last) return undefined;
  const { back, outcome } = last;
  const { verdict, reason } = outcome?.judgement ?? {};
  if (reason !== undefined && verdict !== Verdict.NOT_COMPLETED) return RETRY_REASONS[reason] ?? NOT_FINISHED;
  return BACK_CODES[back?.code ?? ""] ?? NOT_FINISHED;
}

const minutesLeft = ({ link, now }: PageModel) => Math.max(1, Math.ceil((link.expiresAt - now) / 60_000));
