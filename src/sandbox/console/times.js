/** A duration for people: 1:05, 2:03:20. */
export function clockTime(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A short duration with its unit. */
export function shortTime(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  return clockTime(ms);
}

/** The time of day. */
export const timeOfDay = (at) => new Date(at).toLocaleTimeString("en-GB");
