#!/usr/bin/env node
// The package's command. In syntax that any Node reads, so that an old one can say what is missing.
"use strict";
const { engines, version } = require("../package.json");

const COMMANDS = {
  start: ["main.js", "start"],
  sandbox: ["main.js", "sandbox"],
  doctor: ["doctor/main.js"],
  conformance: ["conformance/main.js"],
  listen: ["listen/main.js"],
};
const USAGE =
  "faceverification COMMAND [options]\n\n" +
  "  start         the service, configured by environment variables\n" +
  "  sandbox       the service with a vendor that it plays itself: no contract, nobody is verified\n" +
  "  doctor        what is wrong with a configuration, and its cure\n" +
  "  conformance   whether a backend of your own keeps the vendor's rules\n" +
  "  listen        events of a running service, for a program on this machine\n\n" +
  "COMMAND --help lists its options.";

const wanted = engines.node.replace(">=", "");
if (isOlder(process.versions.node, wanted)) {
  end(1, "Node.js " + wanted + " or newer is needed, and this is " + process.versions.node + ": install it from https://nodejs.org.");
}
const name = process.argv[2];
if (name === "--version") end(0, version);
if (name === undefined || name === "--help") end(name === undefined ? 2 : 0, USAGE);
if (!Object.hasOwn(COMMANDS, name)) end(2, "there is no command " + JSON.stringify(name) + "\n\n" + USAGE);
run(COMMANDS[name]);

function isOlder(have, least) {
  const [a, b] = [have, least].map((text) => text.split(".").map(Number));
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

function end(code, text) {
  console[code === 0 ? "log" : "error"](text);
  process.exit(code);
}

/** In this process where the system can, so that signals and exit codes are the service's own. */
function run([script, ...first]) {
  const { join } = require("node:path");
  const args = ["--max-semi-space-size=64", "--enable-source-maps", join(__dirname, "../dist/src", script)];
  const all = [...args, ...first, ...process.argv.slice(3)];
  if (process.platform !== "win32") process.execve(process.execPath, [process.execPath, ...all], process.env);
  require("node:child_process")
    .spawn(process.execPath, all, { stdio: "inherit" })
    .on("exit", (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));
}
