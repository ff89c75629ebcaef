import type { Config } from "../config.ts";
import { SERVICE_VERSION } from "../domain/version.ts";
import { STATUS } from "../form/errors.ts";
import { systemClock } from "../lib/clock.ts";
import { CODES } from "../rpc/errors.ts";
import { createTelemetry, type Telemetry, type TelemetryOptions } from "../telemetry/telemetry.ts";

/** Log, metrics, traces and audit trail as configured; they speak of what the doors answer. */
export function openTelemetry(config: Config, options: Partial<TelemetryOptions> = {}): Telemetry {
  const statuses = { http: STATUS, grpc: CODES };
  return createTelemetry(config, { version: SERVICE_VERSION, clock: systemClock, statuses, ...options });
}
