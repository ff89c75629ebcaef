/**
 * A case, an outcome and faults as the hash of a URL: `#case=passed&outcome=occluded&latency=300&fault=upload:status:2`.
 * Never a name or an ID number.
 */
export function linkHash({ scenario, outcome, latencyMs, faults }) {
  const query = new URLSearchParams();
  if (scenario) query.set("case", scenario);
  if (outcome) query.set("outcome", outcome);
  if (latencyMs > 0) query.set("latency", String(latencyMs));
  for (const { endpoint, kind, times } of faults)
    query.append("fault", [endpoint, kind, times ?? "always"].join(":"));
  // Colons are allowed in a fragment (RFC 3986 3.5), and read better.
  return `#${query.toString().replaceAll("%3A", ":")}`;
}

/** What a hash brings; undefined if nothing. */
export function readLink(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const scenario = query.get("case") ?? undefined;
  const outcome = query.get("outcome") ?? undefined;
  const latency = Number(query.get("latency") ?? Number.NaN);
  const faults = query.getAll("fault").map((text) => {
    const [endpoint, kind, times = "1"] = text.split(":");
    return { endpoint, kind, times: times === "always" ? null : Number(times) };
  });
  const latencyMs = latency >= 0 ? latency : undefined;
  const brings = scenario || outcome || latencyMs !== undefined || faults.length > 0;
  return brings ? { scenario, outcome, latencyMs, faults } : undefined;
}
