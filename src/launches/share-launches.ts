import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  type GetFaceParamsResponse,
  GetFaceParamsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Call } from "../calls/call.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import type { PrepareLaunch } from "../handlers/prepare-launch.ts";
import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { type SharedWork, shareWork } from "../lib/concurrency.ts";
import type { RequestIds } from "../orders/orders.ts";
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

/** Claim TTL, milliseconds: longer than any launch takes, so an expired claim means its owner died. */
const FLIGHT_MS = 20_000;
/** Interval between polls for a launch that another replica is preparing, milliseconds. */
const POLL_MS = 100;

/**
 * Deduplicates launches: overlapping calls for the same person (a double tap) share one, and so do repeats of
 * a `request_id` until the launch's `start_before`, or for a day where there is a ledger (AIP-155). A failed launch is not shared: the next call
 * starts another.
 */
export function shareLaunches(
  launch: PrepareLaunch,
  { store, requests, pseudonym, clock }: ShareLaunchesOptions,
): PrepareLaunch {
  const flights = new Map<string, SharedWork<GetFaceParamsResponse>>();

  function lead(tap: string, token: string, { request, person, call }: LaunchRequest) {
    const flight = shareWork(async (signal) => {
      let kept: Promise<void> | undefined;
      try {
        const response = await launch(request, person, { ...call, signal });
        // Followers in this process have the promise.
        if (store.shared) kept = store.keep(token, write(response), lifeMs(response));
        return response;
      } finally {
        flights.delete(token);
        // Sent together, in this order: the caller waits for one round trip.
        await Promise.all([kept, store.release(tap, token)]);
      }
    });
    flights.set(token, flight);
    return flight.join(call.signal);
  }

  /**
   * Waits for the launch that `owner` is preparing; undefined once the key is ours, because the owner failed.
   */
  async function follow(key: string, owner: string, claim: string, { signal }: Call) {
    for (let other: string | undefined = owner; other !== undefined; ) {
      const [token = ""] = other.split(".");
      const flight = flights.get(token);
      if (flight) return flight.join(signal);
      const outcome = await store.outcome(token);
      if (outcome !== undefined) return read(outcome);
      await clock.sleep(POLL_MS, signal);
      const next = await store.claim(key, claim, FLIGHT_MS);
      // It may have finished between the poll and the claim.
      const finished = next === undefined ? await store.outcome(token) : undefined;
      if (finished !== undefined) {
        await store.release(key, claim);
        return read(finished);
      }
      other = next;
    }
    return undefined;
  }

  /** Joins a launch that is being prepared for the same person, or leads one. */
  async function joinOrLead(tap: string, token: string, wanted: LaunchRequest) {
    const owner = await store.claim(tap, token, FLIGHT_MS);
    const shared = owner === undefined ? undefined : await follow(tap, owner, token, wanted.call);
    return shared ?? lead(tap, token, wanted);
  }

  /** Returns the launch of this request id, or makes it if this is the first call with the id. */
  async function byRequestId(id: string, print: string, tap: string, wanted: LaunchRequest) {
    const token = randomToken();
    const claim = `${token}.${print}`;
    const owner = await store.claim(id, claim, FLIGHT_MS);
    if (owner !== undefined) {
      if (!owner.endsWith(`.${print}`)) throw reused();
      const known = await follow(id, owner, claim, wanted.call);
      if (known) return known;
    }
    try {
      const answered = await requests.find(id);
      if (answered && answered.print !== print) throw reused();
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

  const lifeMs = ({ startBefore }: GetFaceParamsResponse) =>
    Math.max(1, (startBefore ? timestampMs(startBefore) : 0) - clock.now());

  return async (request, person, call) => {
    const wanted = { request, person, call };
    const { name, subject } = call.caller;
    const owner = `${name}\0${subject}\0`;
    const fields = fieldsOf(request);
    const tap = `tap\0${owner}${fields}`;
    const response =
      request.requestId === ""
        ? await joinOrLead(tap, randomToken(), wanted)
        : await byRequestId(`id\0${owner}${request.requestId}`, pseudonym(`launch\0${fields}`), tap, wanted);
    call.note({ order_no: response.orderNo });
    return create(GetFaceParamsResponseSchema, { ...response, serverTime: timestampFromMs(clock.now()) });
  };
}

const reused = () =>
  new ServiceError(ErrorReason.REQUEST_ID_REUSED, "the request id came with other parameters");

/** Everything that distinguishes one launch from another. */
function fieldsOf(request: GetFaceParamsRequest): string {
  const same = toBinary(
    GetFaceParamsRequestSchema,
    { ...request, requestId: "" },
    { writeUnknownFields: false },
  );
  return Buffer.from(same.buffer, same.byteOffset, same.length).toString("latin1");
}

const write = (response: GetFaceParamsResponse) =>
  Buffer.from(toBinary(GetFaceParamsResponseSchema, response)).toString("base64");
const read = (outcome: string) => fromBinary(GetFaceParamsResponseSchema, Buffer.from(outcome, "base64"));
