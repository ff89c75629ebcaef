import type { Child } from "../support/child.ts";
import { eventually } from "../support/harness.ts";

let marks = 0;

/** Lines leave the process together: once this has resolved, all that were written before have come. Their number. */
export async function allTold(child: Child): Promise<number> {
  const id = `mark-${marks++}`;
  await fetch(`${child.admin}/nowhere`, { headers: { "x-request-id": id } });
  await eventually(() => child.out.some((line) => line.includes(`"${id}"`)));
  return child.out.length;
}

/** The lines of one event from the given one on, parsed. */
export const linesOf = (child: Child, event: string, from = 0) =>
  child.out
    .slice(from)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line["event"] === event);
