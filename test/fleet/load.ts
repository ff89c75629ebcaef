import * as grpc from "@grpc/grpc-js";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { GrpcClient } from "../support/grpc-client.ts";

/** Where calls are sent to, and whether they count at the moment. */
export interface Target {
  http: string;
  grpc: string;
  /** False while the process is being killed, stopped or started: what is called then may fail. */
  counts: boolean;
  /** Changes with every fault, so that a call that was under way then is told apart. */
  era: number;
}

export interface Load {
  calls: number;
  /** What failed though nothing was done to its process. */
  failures: string[];
  stop(): Promise<void>;
}

let users = 0;

/** Calls every target again and again, by form and by gRPC in turns, each time for another user. */
export function startLoad(targets: readonly Target[], { pauseMs = 20 } = {}): Load {
  const stopping = new AbortController();
  const load: Load = { calls: 0, failures: [], stop };
  const workers = targets.map(work);

  async function work(target: Target): Promise<void> {
    let client: { url: string; grpc: GrpcClient } | undefined;
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const { era, counts } = target;
      if (counts) {
        if (client?.url !== target.grpc) {
          client?.grpc.close();
          client = {
            url: target.grpc,
            grpc: new GrpcClient(target.grpc.slice(7), grpc.credentials.createInsecure()),
          };
        }
        const failure = await (turn % 2 === 0 ? byForm(target) : byGrpc(client.grpc));
        if (target.counts && target.era === era) {
          load.calls++;
          if (failure !== undefined) load.failures.push(failure);
        }
      }
      await systemClock.sleep(pauseMs);
    }
    client?.grpc.close();
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all(workers);
  }

  return load;
}

const person = () => ({ name: "张三", id_no: "11010519491231002X", user_id: `user${++users}` });

async function byForm({ http }: Target): Promise<string | undefined> {
  try {
    const response = await fetch(`${http}/get_face_params`, {
      method: "POST",
      body: new URLSearchParams(person()),
      signal: AbortSignal.timeout(10_000),
    });
    const { code } = (await response.json()) as { code: string };
    return code === "0" ? undefined : `form: ${response.status} ${code}`;
  } catch (error) {
    return `form: ${String((error as Error).cause ?? error)}`;
  }
}

async function byGrpc(client: GrpcClient): Promise<string | undefined> {
  const { name, id_no: idNo, user_id: userId } = person();
  try {
    await client.unary(FaceVerificationService.method.getFaceParams, { name, idNo, userId });
    return undefined;
  } catch (error) {
    return `grpc: ${(error as Error).message}`;
  }
}
