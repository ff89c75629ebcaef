import { Counter, type Registry } from "prom-client";

/** The metrics of verification links; without PUBLIC_URL they stay at zero. */
export function createLinkMetrics(registry: Registry) {
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: `faceid_${name}_total`, help, labelNames, registers: [registry] });

  const forged = counter(
    "link_callbacks_forged",
    "Browsers that came back from the vendor with a success that it has not signed. Changes nothing: the verdict is the vendor's.",
    "signature",
  );
  // Present from the start: Prometheus sees no increase in a counter that first appears as 1.
  for (const signature of ["wrong", "missing"]) forged.inc({ signature }, 0);

  return {
    launches: counter(
      "link_launches",
      "Browsers sent to the vendor's page; again is true for another launch of one upload.",
      "device",
      "again",
    ),
    returns: counter(
      "link_returns",
      "Browsers that came back, by the class of their code and by whether the vendor has signed it.",
      "kind",
      "signature",
    ),
    forged,
    ended: counter("links_ended", "Links that have their verdict.", "verdict"),
  };
}

export type LinkMetrics = ReturnType<typeof createLinkMetrics>;
