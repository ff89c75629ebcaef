import { scriptOptions } from "../../src/lib/cli.ts";
import { SCENARIOS } from "./scenarios.ts";
import { simulate } from "./simulation.ts";
import { quantile } from "./tails.ts";

const USAGE = `npm run simulate -- [options]

  --seeds N        seeds for each scenario (default: 100)
  --from N         the first seed (default: 1)
  --scenario NAME  one of ${SCENARIOS.map(({ name }) => name).join(", ")} (default: all)
  --replicas N     processes of the service (default: 4)
  --hours N        virtual time of a run (default: 3)
  --trace          print what happened in each run`;
const { values } = scriptOptions(
  {
    options: {
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      scenario: { type: "string" },
      replicas: { type: "string", default: "4" },
      hours: { type: "string", default: "3" },
      trace: { type: "boolean", default: false },
    },
  },
  USAGE,
  ["seeds", "from", "replicas", "hours"],
);
const scenarios = SCENARIOS.filter(({ name }) => values.scenario === undefined || name === values.scenario);
if (scenarios.length === 0) {
  console.error(`--scenario must be one of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

console.log(
  "scenario     seeds  worst s  p99.9 s  hit  dead share  calls/h  overlaps  heals  faults  violations",
);
let bad = 0;
for (const scenario of scenarios) {
  const runs: Awaited<ReturnType<typeof simulate>>[] = [];
  const first = Number(values.from);
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const run = await simulate({
      seed,
      scenario,
      replicas: Number(values.replicas),
      hours: Number(values.hours),
    });
    runs.push(run);
    if (run.violations.length > 0) {
      bad++;
      console.log(`seed ${seed}: ${run.violations.slice(0, 3).join("; ")}`);
    }
    if (values.trace) console.log(run.trace.join("\n"));
  }
  const sum = (of: (run: (typeof runs)[number]) => number) => runs.reduce((total, run) => total + of(run), 0);
  const worst = runs.reduce((a, b) => (b.worstOutageS > a.worstOutageS ? b : a));
  console.log(
    [
      scenario.name.padEnd(11),
      String(runs.length).padStart(6),
      String(worst.worstOutageS).padStart(8),
      String(quantile(runs, 0.999)).padStart(8),
      String(runs.filter(({ worstOutageS }) => worstOutageS > 0).length).padStart(4),
      `${((100 * sum((r) => r.deadUses)) / sum((r) => r.uses)).toFixed(4)} %`.padStart(11),
      (sum((r) => r.tokenCallsPerHour) / runs.length).toFixed(2).padStart(8),
      String(sum((r) => r.overlaps)).padStart(9),
      String(sum((r) => r.heals)).padStart(6),
      String(sum((r) => r.faults)).padStart(7),
      String(runs.filter(({ violations }) => violations.length > 0).length).padStart(11),
      worst.worstOutageS > 0 ? `  (worst: seed ${worst.seed})` : "",
    ].join(" "),
  );
}
process.exit(bad > 0 ? 1 : 0);
