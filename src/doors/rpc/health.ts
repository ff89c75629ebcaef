import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../gen/grpc/health/v1/health_pb.ts";
import type { Clock } from "../../lib/clock.ts";

export interface HealthOptions {
  /** Services whose health is the process's readiness; "" is the process itself, SERVING until it closes. */
  services: readonly string[];
  ready: () => boolean;
  /** Ends every Watch, so that none delays a shutdown. */
  closing: AbortSignal;
  clock: Clock;
}

/** How often a Watch polls for a change, milliseconds. */
const WATCH_INTERVAL_MS = 500;

/** grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export function createHealth({ services, ready, closing, clock }: HealthOptions) {
  const known = new Set(services);

  function statusOf(service: string): ServingStatus | undefined {
    if (service !== "" && !known.has(service)) return undefined;
    if (closing.aborted) return ServingStatus.NOT_SERVING;
    return service === "" || ready() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  return (router: ConnectRouter): void => {
    router.service(Health, {
      check({ service }) {
        const status = statusOf(service);
        if (status === undefined) throw new ConnectError("unknown service", Code.NotFound);
        return create(HealthCheckResponseSchema, { status });
      },
      async *watch({ service }, { signal }): AsyncGenerator<HealthCheckResponse> {
        const until = AbortSignal.any([signal, closing]);
        let last: ServingStatus | undefined;
        for (;;) {
          const status = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
          if (status !== last) yield create(HealthCheckResponseSchema, { status });
          last = status;
          if (until.aborted) return;
          await clock.sleep(WATCH_INTERVAL_MS, until).catch(() => undefined);
        }
      },
    });
  };
}
