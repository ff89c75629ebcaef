import { parseArgs } from "node:util";
import { latency } from "./latency.ts";
import { media } from "./media.ts";
import { overload } from "./overload.ts";
import { endPrograms } from "./programs.ts";
import { scale } from "./scale.ts";
import { soak } from "./soak.ts";
import { throughput } from "./throughput.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    minutes: { type: "string", default: "10" },
    rate: { type: "string", default: "60" },
    write: { type: "boolean", default: false },
  },
});
const { write } = values;
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
const EXPERIMENTS: Readonly<Record<string, () => Promise<void>>> = {
  throughput: () => throughput({ seconds, rounds, write }),
  latency: () => latency({ seconds, rounds, write }),
  overload: () => overload({ seconds, write }),
  media: () => media({ seconds, write }),
  scale: () => scale({ rounds, write }),
  soak: () => soak({ minutes: Number(values.minutes), rate: Number(values.rate), write }),
};

const chosen =
  positionals.length > 0 ? positionals : Object.keys(EXPERIMENTS).filter((name) => name !== "soak");
const unknown = chosen.find((name) => !EXPERIMENTS[name]);
if (unknown !== undefined) {
  console.error(`there is no ${unknown}; there are ${Object.keys(EXPERIMENTS).join(", ")}`);
  process.exit(2);
}
try {
  for (const name of chosen) await EXPERIMENTS[name]!();
} finally {
  await endPrograms();
}
