import type { Environment } from "../lib/environment.ts";

/** Names that Kubernetes and Docker links set for a Service or container called `faceid…` or `sandbox`. */
const LINK_NAME =
  /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|(ENV|NAME)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const LINK = /^(tcp|udp|sctp):\/\//;
/** Names defined by others, which a typo in ours is unlikely to produce. */
const STANDARD = /^(OTEL_|NODE_|.*_proxy$|.*_PROXY$)/;

/**
 * Variables that are set but never read: every `FACEID_…`, and others that are one typo away from a name that
 * is read. One sentence for each, without its value.
 * @param known all names that are read
 */
export function strayNames(env: Environment, known: ReadonlySet<string>): string[] {
  const set = Object.keys(env).filter((name) => env[name] !== undefined && env[name] !== "");
  const ours = [...known].filter((name) => !STANDARD.test(name));
  const sandboxPort = LINK.test(env["SANDBOX_PORT"] ?? "")
    ? [
        "SANDBOX_PORT: is the link of a Kubernetes Service called sandbox, and no port; ignored (enableServiceLinks: false)",
      ]
    : [];
  return [
    ...sandboxPort,
    ...set
      .filter((name) => !known.has(name) && !STANDARD.test(name) && !isLink(name, env[name] ?? ""))
      .flatMap((name) => {
        const meant = nearest(name, ours);
        if (meant !== undefined) return [`${name}: nothing reads it; is ${meant} meant?`];
        return name.startsWith("FACEID_") ? [`${name}: nothing reads it`] : [];
      }),
  ];
}

const isLink = (name: string, value: string) =>
  LINK_NAME.test(name) || (name.endsWith("_PORT") && LINK.test(value));

/** The known name nearest to this one: at most two typos away for `FACEID_…`, else one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const max = name.startsWith("FACEID_") ? 2 : 1;
  return known
    .map((candidate) => ({ candidate, typos: editDistance(name.toUpperCase(), candidate) }))
    .filter(({ candidate, typos }) => typos <= max && candidate.length > 6)
    .sort((a, b) => a.typos - b.typos)[0]?.candidate;
}

/**
 * Min number of letters omitted, added, changed or swapped with their neighbour (optimal string alignment).
 */
export function editDistance(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last[j - 1] ?? 0) + Number(a[i - 1] !== b[j - 1]);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (before[j - 2] ?? 0) + 1
          : Number.POSITIVE_INFINITY;
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, changed, swapped));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
