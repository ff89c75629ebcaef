import { scriptOptions } from "../../src/lib/cli.ts";
import { fuzz } from "./fuzz.ts";

const USAGE = `npm run fuzz -- [options]

  --inputs N   inputs to send at most (default: 1000000)
  --minutes N  time at most (default: 30)
  --seed N     what to repeat a run with (default: another each time)`;
const { values } = scriptOptions(
  {
    options: {
      inputs: { type: "string", default: "1000000" },
      minutes: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  },
  USAGE,
  ["inputs", "minutes"],
);

console.log(`seed ${values.seed}`);
const { sent, answers, heap, rss, findings } = await fuzz({
  inputs: Number(values.inputs),
  maxMs: Number(values.minutes) * 60_000,
  seed: Number(values.seed),
  progress: (count) => process.stderr.write(`\r${count} inputs`),
});
process.stderr.write("\n");
for (const [kind, seen] of Object.entries(answers)) {
  const sorted = [...seen].sort(([, a], [, b]) => b - a).map(([answer, times]) => `${answer}: ${times}`);
  console.log(`${kind.padEnd(9)} ${sorted.join(", ")}`);
}
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
console.log(`${sent} inputs; heap ${heap.map(mib).join(" to ")}, resident ${rss.map(mib).join(" to ")}`);
for (const finding of findings) console.log(`FINDING ${finding}`);
process.exit(findings.length > 0 ? 1 : 0);
