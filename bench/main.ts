import { scriptOptions } from "../src/lib/cli.ts";
import { stopRedis } from "../test/support/redis.ts";
import { before } from "./before.ts";
import { DOORS } from "./doors.ts";
import { latency } from "./latency.ts";
import { ledger } from "./ledger.ts";
import { media } from "./media.ts";
import { memory } from "./memory.ts";
import { orders } from "./orders.ts";
import { overload } from "./overload.ts";
import { paced, RATES } from "./paced.ts";
import { endPrograms } from "./programs.ts";
import { scale } from "./scale.ts";
import { soak } from "./soak.ts";
import { throughput } from "./throughput.ts";

const USAGE = `npm run bench -- [experiment…] [options]

  throughput   requests a second and CPU a call at full load, beside bare servers
  latency      what the service adds to a vendor of 30 ms
  overload     ten times the load that it can take
  media        photo and video at 1, 8 and 50 callers
  scale        start, memory, code
  paced        CPU a call at 50, 200 and 800 calls a second, beside the usual stack (an hour)
  orders       what a ledger costs a launch (ten minutes)
  ledger       pages and claims of a million orders, on both engines (some minutes)
  before       CPU of a call at full load, beside an earlier version (ten minutes a door)
  memory       V8's young generation (half an hour)
  soak         memory over time (ten minutes)

Without a name: all but the last six.

  --seconds N   length of a sample (default: 3)
  --rounds N    samples of each figure (default: the experiment's own)
  --warm-up N   calls before a process is measured (default: 20000)
  --version DIR for before: a checkout of the earlier version, its dependencies installed
  --door NAME   for paced and before; one of ${DOORS.join(", ")}; may be repeated
  --orders N    for ledger (default: 1000000)
  --minutes N   for soak (default: 10)
  --rate N      calls a second: for soak (default: 60) and for paced, where it may be repeated (default: ${RATES.join(", ")})
  --cgroup DIR  for memory: also inside this control group
  --write       put the figures into bench/RESULTS.md`;
const { values, positionals } = scriptOptions(
  {
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "3" },
      rounds: { type: "string" },
      "warm-up": { type: "string", default: "20000" },
      door: { type: "string", multiple: true },
      version: { type: "string" },
      cgroup: { type: "string" },
      orders: { type: "string", default: "1000000" },
      minutes: { type: "string", default: "10" },
      rate: { type: "string", multiple: true },
      write: { type: "boolean", default: false },
    },
  },
  USAGE,
  ["seconds", "rounds", "warm-up", "orders", "minutes", "rate"],
);
const { write, cgroup, version } = values;
const doors = DOORS.filter((door) => (values.door ?? DOORS).includes(door));
const [seconds, warmUp] = [Number(values.seconds), Number(values["warm-up"])];
const rates = values.rate?.map(Number);
const rounds = (usual: number) => Number(values.rounds ?? usual);
const EXPERIMENTS: Readonly<Record<string, () => Promise<void>>> = {
  throughput: () => throughput({ seconds, rounds: rounds(5), warmUp, write }),
  paced: () => paced({ seconds, rounds: rounds(7), warmUp, rates: rates ?? RATES, doors, write }),
  latency: () => latency({ seconds, rounds: rounds(5), write }),
  overload: () => overload({ seconds, write }),
  media: () => media({ seconds, write }),
  orders: () => orders({ seconds, rounds: rounds(5), warmUp, write }),
  ledger: () => ledger({ orders: Number(values.orders), write }),
  before: () => before({ version: version!, seconds, rounds: rounds(12), warmUp, doors, write }),
  memory: () => memory({ seconds, rounds: rounds(3), warmUp, cgroup, write }),
  scale: () => scale({ rounds: rounds(5), write }),
  soak: () => soak({ minutes: Number(values.minutes), rate: rates?.[0] ?? 60, write }),
};

/** Only by name: each takes from ten minutes to an hour. */
const LONG = ["paced", "orders", "ledger", "before", "memory", "soak"];
const chosen =
  positionals.length > 0 ? positionals : Object.keys(EXPERIMENTS).filter((name) => !LONG.includes(name));
const refuse = (problem: string) => {
  console.error(`${problem}\n\n${USAGE}`);
  process.exit(2);
};
const check = (names: readonly string[], known: readonly string[]) => {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) refuse(`there is no ${unknown}; there are ${known.join(", ")}`);
};
check(chosen, Object.keys(EXPERIMENTS));
check(values.door ?? [], DOORS);
if (chosen.includes("before") && version === undefined) refuse("before needs --version");
// The service's own clock does not keep a process alive.
const alive = setInterval(() => undefined, 60_000);
try {
  for (const name of chosen) await EXPERIMENTS[name]!();
} finally {
  clearInterval(alive);
  await Promise.all([endPrograms(), stopRedis()]);
}
