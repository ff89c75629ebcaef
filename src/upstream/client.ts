import { PROTOCOL_VERSION } from "../domain/version.ts";
import { UpstreamError } from "../errors.ts";
import { Pii, type Secret } from "../lib/redacted.ts";
import { BASIC_WEB_UPLOAD, type Edition, type TokenParam, UPLOAD } from "./editions.ts";
import { createObservedExchange, type ObserveExchange } from "./observed-exchange.ts";
import { type QueryResult, readQueryResult } from "./query-result.ts";
import { type Credential, credential, successful } from "./reply.ts";
import type { Exchange, Transport } from "./transport.ts";
import { isRecord, text } from "./values.ts";
import { vendorHost } from "./web-launch.ts";

export type { Credential, QueryResult };

/** An identity upload; `sign` and `nonce` as in protocol.md 5.1. */
export interface Upload {
  orderNo: string;
  name: Pii;
  idNo: Pii;
  userId: string;
  nonce: string;
  sign: string;
  /** `type`: "1" watermarked, "2" clear. */
  photo?: { bytes: Pii<Uint8Array>; type: "1" | "2" } | undefined;
}

/** An identity upload for the H5 pages of the basic edition, which signs name and ID number and no nonce (protocol.md 5.1). */
export type WebUpload = Pick<Upload, "orderNo" | "name" | "idNo" | "userId" | "sign">;

/** A registered identity. */
export interface Uploaded {
  faceId: string;
  /** The host that serves its H5 page best; undefined for the configured one. */
  optimalHost: string | undefined;
}

/** A result query; `sign` and `nonce` as in protocol.md 5.1. */
export interface Query {
  orderNo: string;
  nonce: string;
  sign: string;
  /** Requests photo and video instead of only the verdict. */
  media?: boolean;
}

/**
 * The vendor's interfaces, one typed method each. Every method rejects with UpstreamError, or with the reason
 * of `signal`. Only a call on behalf of a request whose connection the vendor closed may be retried once, see
 * `createObservedExchange`.
 */
export interface UpstreamClient {
  /** Fetches a new access token; the previous one dies within a minute (protocol.md 1). */
  fetchAccessToken(secret: Secret, signal: AbortSignal): Promise<Credential>;
  fetchSignTicket(accessToken: Secret, signal: AbortSignal): Promise<Credential>;
  /** For one launch by this user; must not be cached (protocol.md 3). */
  fetchNonceTicket(accessToken: Secret, userId: string, signal: AbortSignal): Promise<Credential>;
  /** Registers an identity. */
  upload(upload: Upload, signal: AbortSignal): Promise<Uploaded>;
  /** Registers an identity for the H5 pages of the basic edition. */
  webUpload(upload: WebUpload, signal: AbortSignal): Promise<Uploaded>;
  query(query: Query, signal: AbortSignal): Promise<QueryResult>;
}

export interface UpstreamOptions {
  appId: string;
  edition: Edition;
  tokenParam: TokenParam;
  transport: Transport;
  /** Observes every exchange: endpoint, code and duration, never URL or body. */
  observe: ObserveExchange;
  /** Time limits of a token call and a SIGN ticket call, milliseconds. */
  tokenTimeoutMs: number;
  signTimeoutMs: number;
  /** Time limit of one call on behalf of a request, milliseconds. */
  callTimeoutMs: number;
}

/** Max response sizes, bytes. */
const SMALL = 256 * 1024;
const MEDIA = 32 * 1024 * 1024;

/** A client for one WBappid at one host. */
export function createUpstreamClient(options: UpstreamOptions): UpstreamClient {
  const { appId, edition, tokenParam, transport, observe } = options;
  const { tokenTimeoutMs, signTimeoutMs, callTimeoutMs } = options;
  const app = { [tokenParam]: appId, version: PROTOCOL_VERSION };
  const exchangeAndRead = createObservedExchange(transport, observe);

  function fetchTicket(
    endpoint: "sign_ticket" | "nonce_ticket",
    query: Exchange["query"],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Credential> {
    const path = "/api/oauth2/api_ticket";
    const exchange = { endpoint, path, query: { ...app, ...query }, signal, timeoutMs, maxBytes: SMALL };
    return exchangeAndRead(exchange, (reply) => {
      const { tickets } = successful(endpoint, reply).fields;
      const [ticket] = Array.isArray(tickets) ? (tickets as unknown[]) : [];
      return credential(endpoint, reply, isRecord(ticket) ? ticket : {}, "value");
    });
  }

  function uploadTo(
    path: string,
    orderNo: string,
    body: Exchange["body"],
    signal: AbortSignal,
  ): Promise<Uploaded> {
    const endpoint = "upload";
    const exchange = { endpoint, path, query: { orderNo }, body, signal } as const;
    return exchangeAndRead({ ...exchange, timeoutMs: callTimeoutMs, maxBytes: SMALL }, (reply) => {
      const { result, bizSeqNo } = successful(endpoint, reply);
      const faceId = text(result["faceId"]) ?? text(result["h5faceId"]);
      const echo = text(result["orderNo"]);
      if (faceId === undefined || (echo !== undefined && echo !== orderNo)) {
        throw new UpstreamError(endpoint, "malformed", { bizSeqNo });
      }
      return { faceId, optimalHost: vendorHost(result["optimalDomain"]) };
    });
  }

  return {
    fetchAccessToken(secret, signal) {
      const endpoint = "access_token";
      const query = { ...app, secret, grant_type: "client_credential" };
      const path = "/api/oauth2/access_token";
      const exchange = { endpoint, path, query, signal, timeoutMs: tokenTimeoutMs, maxBytes: SMALL } as const;
      return exchangeAndRead(exchange, (reply) =>
        credential(endpoint, reply, successful(endpoint, reply).fields, "access_token"),
      );
    },

    fetchSignTicket(accessToken, signal) {
      const query = { access_token: accessToken, type: "SIGN" };
      return fetchTicket("sign_ticket", query, signTimeoutMs, signal);
    },

    fetchNonceTicket(accessToken, userId, signal) {
      const query = { access_token: accessToken, type: "NONCE", user_id: userId };
      return fetchTicket("nonce_ticket", query, callTimeoutMs, signal);
    },

    upload({ orderNo, name, idNo, userId, nonce, sign, photo }, signal) {
      const { path, appIdField } = UPLOAD[edition];
      const body = {
        [appIdField]: appId,
        orderNo,
        name,
        idNo,
        userId,
        ...(photo && { sourcePhotoStr: base64(photo.bytes), sourcePhotoType: photo.type }),
        version: PROTOCOL_VERSION,
        sign,
        nonce,
      };
      return uploadTo(path, orderNo, body, signal);
    },

    webUpload({ orderNo, name, idNo, userId, sign }, signal) {
      const { path, appIdField } = BASIC_WEB_UPLOAD;
      const body = { [appIdField]: appId, orderNo, name, idNo, userId, version: PROTOCOL_VERSION, sign };
      return uploadTo(path, orderNo, body, signal);
    },

    query({ orderNo, nonce, sign, media }, signal) {
      const endpoint = "query";
      const exchange = {
        endpoint,
        path: "/api/v2/base/queryfacerecord",
        query: { orderNo },
        body: {
          appId,
          version: PROTOCOL_VERSION,
          nonce,
          orderNo,
          sign,
          // The SDK version comes with the verdict, the files in a separate call (protocol.md 6.1).
          ...(media ? { getFile: "1" } : { queryVersion: "1.0" }),
        },
        signal,
        timeoutMs: callTimeoutMs,
        maxBytes: media ? MEDIA : SMALL,
        files: media,
      } as const;
      return exchangeAndRead(exchange, (reply) => readQueryResult(reply, orderNo));
    },
  };
}

const base64 = (bytes: Pii<Uint8Array>) => new Pii(Buffer.from(bytes.reveal()).toString("base64"));
