// For HEALTHCHECK: exit code 0 while the process answers at /livez of its admin listener.
const address = process.env["ADMIN_ADDR"] || "127.0.0.1:9090";
const { ok } = await fetch(`http://${address.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:")}/livez`, {
  signal: AbortSignal.timeout(2_000),
}).catch(() => ({ ok: false }));
process.exitCode = ok ? 0 : 1;
