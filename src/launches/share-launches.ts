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
import type { PrepareLaunch } from "../handlers/get-face-params.ts";
import { randomBase62 } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { type SharedWork, shareWork } from "../lib/concurrency.ts";
import type { LaunchStore } from "./store.ts";

export interface ShareLaunchesOptions {
  store: LaunchStore;
  /** Hides persons and request ids in the store's keys. */
  pseudonym: (text: string) => string;
  clock: Clock;
}

/** What one call asks for. */
interface Asked {
  request: GetFaceParamsRequest;
  person: string;
  call: Call;
}

/** Longer than any launch takes to prepare: then who prepared it is dead, and another may. */
const FLIGHT_MS = 20_000;
/** How often a launch is looked for that another replica prepares, milliseconds. */
const LOOK_MS = 100;

/**
 * One launch for those who mean the same one: calls for the same person that overlap in time (a double tap), and repeats of
 * a `request_id` until the launch's `start_before` (AIP-155). A launch that failed is not shared: the next one tries anew.
 */
export function shareLaunches(
  launch: PrepareLaunch,
  { store, pseudonym, clock }: ShareLaunchesOptions,
): PrepareLaunch {
  const flights = new Map<string, SharedWork<GetFaceParamsResponse>>();

  function lead(tap: string, token: string, { request, person, call }: Asked) {
    const flight = shareWork(async (signal) => {
      let kept: Promise<void> | undefined;
      try {
        const response = await launch(request, person, { ...call, signal });
        // Those who wait in this process have the promise.
        if (store.shared) kept = store.keep(token, write(response), lifeMs(response));
        return response;
      } finally {
        flights.delete(token);
        // Both on their way at once, in this order: the caller waits for one round trip.
        await Promise.all([kept, store.release(tap, token)]);
      }
    });
    flights.set(token, flight);
    return flight.join(call.signal);
  }

  /** The launch that `owner` prepares; undefined once the key is ours, because the other gave up. */
  async function follow(key: string, owner: string, claim: string, { signal }: Call) {
    for (let other: string | undefined = owner; other !== undefined; ) {
      const [token = ""] = other.split(".");
      const flight = flights.get(token);
      if (flight) return flight.join(signal);
      const outcome = await store.outcome(token);
      if (outcome !== undefined) return read(outcome);
      await clock.sleep(LOOK_MS, signal);
      const next = await store.claim(key, claim, FLIGHT_MS);
      // Between the look and the claim it may have come to its end.
      const late = next === undefined ? await store.outcome(token) : undefined;
      if (late !== undefined) {
        await store.release(key, claim);
        return read(late);
      }
      other = next;
    }
    return undefined;
  }

  /** For the same person, with whoever prepares a launch right now. */
  async function tapped(tap: string, token: string, asked: Asked) {
    const owner = await store.claim(tap, token, FLIGHT_MS);
    const shared = owner === undefined ? undefined : await follow(tap, owner, token, asked.call);
    return shared ?? lead(tap, token, asked);
  }

  /** By its request id: as before, or for the first time. */
  async function repeated(id: string, print: string, tap: string, asked: Asked) {
    const token = randomBase62(20);
    const claim = `${token}.${print}`;
    const owner = await store.claim(id, claim, FLIGHT_MS);
    if (owner !== undefined) {
      if (!owner.endsWith(`.${print}`)) {
        throw new ServiceError(ErrorReason.REQUEST_ID_REUSED, "the request id came with other parameters");
      }
      const known = await follow(id, owner, claim, asked.call);
      if (known) return known;
    }
    try {
      const response = await tapped(tap, token, asked);
      await store.keep(token, write(response), lifeMs(response));
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
    const asked = { request, person, call };
    const { name, subject } = call.caller;
    const owner = `${name}\0${subject}\0`;
    const fields = fieldsOf(request);
    const tap = pseudonym(`tap\0${owner}${fields}`);
    const response =
      request.requestId === ""
        ? await tapped(tap, randomBase62(20), asked)
        : await repeated(
            pseudonym(`id\0${owner}${request.requestId}`),
            pseudonym(`launch\0${fields}`),
            tap,
            asked,
          );
    call.note({ order_no: response.orderNo });
    return create(GetFaceParamsResponseSchema, { ...response, serverTime: timestampFromMs(clock.now()) });
  };
}

/** Everything that makes a launch what it is. */
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
