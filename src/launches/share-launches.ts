import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  type GetFaceParamsResponse,
  GetFaceParamsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Call } from "../calls/call.ts";
import { fieldsOf, requestIdReused } from "../domain/request-id.ts";
import type { PrepareLaunch } from "../handlers/prepare-launch.ts";
import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import type { RequestIds } from "../orders/orders.ts";
import { createJointWork, FLIGHT_MS } from "./joint-work.ts";
import type { LaunchStore } from "./store.ts";

export interface ShareLaunchesOptions {
  store: LaunchStore;
  /** Remembers request ids for longer than the store does. */
  requests: RequestIds;
  /** Hides what a launch was requested with, where the store keeps it to compare a repeat with. */
  pseudonym: (text: string) => string;
  clock: Clock;
}

/** One call's request for a launch. */
interface LaunchRequest {
  request: GetFaceParamsRequest;
  person: string;
  call: Call;
}

/**
 * Deduplicates launches: overlapping calls for the same person (a double tap) share one, and so do repeats of
 * a `request_id` until the launch's `start_before`, or for a day where there is a ledger (AIP-155). A failed launch is not shared: the next call
 * starts another.
 */
export function shareLaunches(
  launch: PrepareLaunch,
  { store, requests, pseudonym, clock }: ShareLaunchesOptions,
): PrepareLaunch {
  const launches = createJointWork({ store, clock, write, read, lifeMs });

  /** Joins a launch that is being prepared for the same person, or leads one. */
  const joinOrLead = (tap: string, token: string, { request, person, call }: LaunchRequest) =>
    launches.join(tap, call.signal, (signal) => launch(request, person, { ...call, signal }), token);

  /** Returns the launch of this request id, or makes it if this is the first call with the id. */
  async function byRequestId(id: string, print: string, tap: string, wanted: LaunchRequest) {
    const token = randomToken();
    const claim = `${token}.${print}`;
    const owner = await store.claim(id, claim, FLIGHT_MS);
    if (owner !== undefined) {
      if (!owner.endsWith(`.${print}`)) throw requestIdReused();
      const known = await launches.follow(id, owner, claim, wanted.call.signal);
      if (known) return known;
    }
    try {
      const answered = await requests.find(id);
      if (answered && answered.print !== print) throw requestIdReused();
      const response = answered ? read(answered.response) : await joinOrLead(tap, token, wanted);
      const outcome = write(response);
      await Promise.all([
        store.keep(token, outcome, lifeMs(response)),
        answered ? undefined : requests.keep(id, { print, response: outcome }),
      ]);
      await store.claim(id, claim, lifeMs(response));
      return response;
    } catch (error) {
      await store.release(id, claim);
      throw error;
    }
  }

  function lifeMs({ startBefore }: GetFaceParamsResponse): number {
    return Math.max(1, (startBefore ? timestampMs(startBefore) : 0) - clock.now());
  }

  return async (request, person, call) => {
    const wanted = { request, person, call };
    const { name, subject } = call.caller;
    const owner = `${name}\0${subject}\0`;
    const fields = fieldsOf(GetFaceParamsRequestSchema, request);
    const tap = `tap\0${owner}${fields}`;
    const response =
      request.requestId === ""
        ? await joinOrLead(tap, randomToken(), wanted)
        : await byRequestId(`id\0${owner}${request.requestId}`, pseudonym(`launch\0${fields}`), tap, wanted);
    call.note({ order_no: response.orderNo });
    return { ...response, serverTime: timestampFromMs(clock.now()) };
  };
}

const write = (response: GetFaceParamsResponse) =>
  Buffer.from(toBinary(GetFaceParamsResponseSchema, response)).toString("base64");
const read = (outcome: string) => fromBinary(GetFaceParamsResponseSchema, Buffer.from(outcome, "base64"));
