import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An authority of the test's own, made with openssl. */
export interface Authority {
  ca: string;
  /** A certificate for the common name, valid for 127.0.0.1 and, if given, with further alternative names. */
  issue(commonName: string, ...alternatives: string[]): Certificate;
  [Symbol.dispose](): void;
}

export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), "ca-"));
  const path = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore", cwd: directory });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=test",
  );

  return {
    ca: readFileSync(path("ca.pem"), "utf8"),
    issue(commonName, ...alternatives) {
      openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", `/CN=${commonName}`);
      writeFileSync(path("san"), `subjectAltName=${[...alternatives, "IP:127.0.0.1"].join(",")}\n`);
      const signed = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "san",
      ];
      openssl("x509", "-req", "-in", "leaf.csr", "-out", "leaf.pem", ...signed);
      return { cert: readFileSync(path("leaf.pem"), "utf8"), key: readFileSync(path("leaf.key"), "utf8") };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
