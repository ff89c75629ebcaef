import { PROTOCOL_VERSION } from "../domain/version.ts";
import { type Edition, WEB_LAUNCH } from "./editions.ts";
import { text } from "./values.ts";

/** Where the vendor's pages are: a phone's browser, or that of a computer with a camera. */
export type WebDevice = "mobile" | "pc";

/** One launch of a page; `sign` and `nonce` as in protocol.md 5.1. */
export interface WebLaunch {
  device: WebDevice;
  orderNo: string;
  userId: string;
  faceId: string;
  nonce: string;
  sign: string;
  /** Where the vendor sends the browser at the end: complete, without query and fragment. */
  callbackUrl: string;
  /** As the upload named it. */
  optimalHost: string | undefined;
}

export interface WebLaunchOptions {
  appId: string;
  edition: Edition;
  /** The vendor's base URL as browsers reach it. */
  baseUrl: string;
}

/** The domains of the vendor. Its answer becomes a redirect target, so no other is taken from it (protocol.md 9). */
const SUFFIXES = [".qcloud.com", ".tencentcloudapi.com", ".webank.com"];
const HOST_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/;

/** The host that an upload recommends; undefined unless it is a bare name below one of the vendor's domains. */
export function vendorHost(value: unknown): string | undefined {
  const host = text(value)?.toLowerCase();
  if (host === undefined || host.length > 253 || !HOST_NAME.test(host)) return undefined;
  return SUFFIXES.some((suffix) => host.endsWith(suffix)) ? host : undefined;
}

/**
 * The URL that starts the vendor's page, once and within 120 seconds (protocol.md 9). For a redirect only: in a page it would be
 * prefetched, which spends it.
 */
export function webLaunchUrl({ appId, edition, baseUrl }: WebLaunchOptions, launch: WebLaunch): string {
  const { device, orderNo, userId, faceId, nonce, sign, callbackUrl, optimalHost } = launch;
  const { appIdField, faceIdField } = WEB_LAUNCH[edition];
  const base = optimalHost === undefined ? baseUrl.replace(/\/+$/, "") : `https://${optimalHost}`;
  const query = new URLSearchParams({
    [appIdField]: appId,
    version: PROTOCOL_VERSION,
    nonce,
    orderNo,
    [faceIdField]: faceId,
    url: callbackUrl,
    userId,
    sign,
    // Straight back to us, from a browser, and without an entry in its history. The PC page has none of these.
    ...(device === "mobile" && { resultType: "1", from: "browser", redirectType: "1" }),
  });
  return `${base}/api/${device === "pc" ? "pc" : "web"}/login?${query.toString()}`;
}
