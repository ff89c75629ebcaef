import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Clock } from "../../lib/clock.ts";
import type { LinkView } from "../../links/links.ts";
import type { PageModel } from "./pages.ts";
import { isMobile, languageFor } from "./requests.ts";

export interface PageModelOptions {
  /** PUBLIC_URL, without a trailing slash. */
  publicUrl: string;
  /** Whether the vendor has a page for the cameras of computers. */
  pcCamera: boolean;
  urlOf: (link: LinkView) => string;
  clock: Clock;
}

/** Modules of quiet zone around a QR code (ISO/IEC 18004). */
const QUIET = 4;

/** Collects what the page of a link shows to the browser that asks. */
export function createPageModel({ publicUrl, pcCamera, urlOf, clock }: PageModelOptions) {
  // Loaded where there are links only. perf: docs/performance.md#lazy-imports
  const library = import("uqr");

  return async (link: LinkView, request: FastifyRequest): Promise<PageModel> => {
    const { renderSVG } = await library;
    const isDesktop = !isMobile(request.headers);
    return {
      link,
      version: versionOf(link),
      ...languageFor(request),
      host: new URL(link.returnUrl || publicUrl).host,
      now: clock.now(),
      desktop: isDesktop
        ? { qrCode: renderSVG(urlOf(link), { border: QUIET }), camera: pcCamera }
        : undefined,
    };
  };
}

/** Changes with everything that the page shows of the link but the time; says nothing of it. */
export function versionOf({ id, state, attempts }: LinkView): string {
  const shown = attempts.map(({ back, outcome }) => [back?.code, outcome?.code]);
  return createHash("sha256")
    .update(JSON.stringify([id, state, shown]))
    .digest("hex")
    .slice(0, 16);
}
