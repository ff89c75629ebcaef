/** Pauses between steps are drawn this wide, percent: people think for longer than machines work. */
const PAUSE = 4;
/** A bar is at least this wide, percent. */
const LEAST = 0.8;

/**
 * Rows of a waterfall, each with its bar's place in percent: every step as wide as it took, the pauses between them cut short,
 * and the calls behind a step on the step's own scale. `gapMs` is the pause before the row.
 */
export function placeSteps(steps) {
  const took = (step) => Math.max(1, (step.endedAt ?? step.startedAt) - step.startedAt);
  const total = steps.reduce((sum, step) => sum + took(step), 0);
  const room = 100 - PAUSE * Math.max(0, steps.length - 1);
  const rows = [];
  let left = 0;
  let endedAt;
  for (const step of steps) {
    const width = (took(step) / total) * room;
    const gapMs = endedAt === undefined ? 0 : step.startedAt - endedAt;
    rows.push({ step, depth: 0, left, width: Math.max(LEAST, width), gapMs });
    for (const each of step.behind) {
      const within = Math.min(1, Math.max(0, (each.startedAt - step.startedAt) / took(step)));
      const part = Math.min(1 - within, took(each) / took(step));
      const at = Math.min(left + within * width, 100 - LEAST);
      rows.push({ step: each, depth: 1, left: at, width: Math.max(LEAST, part * width), gapMs: 0 });
    }
    left += width + PAUSE;
    endedAt = step.endedAt ?? step.startedAt;
  }
  return rows;
}
