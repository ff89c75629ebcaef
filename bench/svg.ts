import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixed } from "./numbers.ts";

export interface Group {
  title: string;
  bars: readonly { label: string; value: number }[];
}

const [LEFT, BAR, WIDTH, HEIGHT] = [190, 20, 560, 18];
const COLOURS: Readonly<Record<string, string>> = { service: "#1f6feb", floor: "#8c959f", demo: "#d1242f" };

const open = (width: number, height: number, title: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/><text x="12" y="24" font-size="15" font-weight="bold">${title}</text>`;

const text = (x: number, y: number, content: string, more = "") =>
  `<text x="${x}" y="${y}" ${more}>${content}</text>`;

/** Horizontal bars in groups, as a file beside RESULTS.md. */
export function bars(file: string, title: string, groups: readonly Group[]): void {
  const most = Math.max(...groups.flatMap((group) => group.bars.map(({ value }) => value)));
  const parts: string[] = [];
  let y = 44;
  for (const group of groups) {
    parts.push(text(12, y + 14, group.title, 'font-weight="bold"'));
    for (const { label, value } of group.bars) {
      const width = Math.max(1, (value / most) * WIDTH);
      const colour = COLOURS[label] ?? "#54aeff";
      parts.push(
        text(LEFT - 8, y + 14, label, 'text-anchor="end"'),
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${HEIGHT}" fill="${colour}"/>`,
        text(LEFT + width + 6, y + 14, fixed(value)),
      );
      y += BAR;
    }
    y += 12;
  }
  write(file, LEFT + WIDTH + 60, y + 8, title, parts);
}

export interface Line {
  label: string;
  /** One for each point in time, at equal distances. */
  values: readonly number[];
}

/** One panel for each line, over the same time. */
export function lines(file: string, title: string, series: readonly Line[], minutes: number): void {
  const parts: string[] = [];
  let y = 40;
  for (const { label, values } of series) {
    const most = Math.max(...values) * 1.15;
    const points = values.map((value, i) => {
      const x = LEFT + (i / Math.max(1, values.length - 1)) * WIDTH;
      return `${x.toFixed(1)},${(y + 90 - (value / most) * 90).toFixed(1)}`;
    });
    parts.push(
      text(12, y + 50, label),
      text(LEFT - 8, y + 12, fixed(most, 1), 'text-anchor="end" font-size="11"'),
      text(LEFT - 8, y + 90, "0", 'text-anchor="end" font-size="11"'),
      `<path d="M${LEFT} ${y}V${y + 90}H${LEFT + WIDTH}" fill="none" stroke="#8c959f"/>`,
      `<polyline points="${points.join(" ")}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>`,
      text(LEFT + WIDTH + 6, y + 90, `${fixed(minutes)} min`, 'font-size="11"'),
    );
    y += 114;
  }
  write(file, LEFT + WIDTH + 70, y + 4, title, parts);
}

function write(file: string, width: number, height: number, title: string, parts: readonly string[]): void {
  const svg = [open(width, height, title), ...parts, "</svg>", ""].join("\n");
  writeFileSync(join(import.meta.dirname, file), svg);
}
