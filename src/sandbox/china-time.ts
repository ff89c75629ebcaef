const CHINA_OFFSET_MS = 8 * 3_600_000;

/** Milliseconds since the Unix epoch as the vendor writes time: `yyyyMMddHHmmss`, China time (protocol.md 1). */
export function formatChinaTime(ms: number): string {
  return new Date(ms + CHINA_OFFSET_MS).toISOString().replace(/\D/g, "").slice(0, 14);
}
