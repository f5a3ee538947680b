#!/usr/bin/env node
// Presents the npm compiler as the command-line compiler that py-solc-x expects: --version, else
// standard JSON from standard input to standard output.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require(path.join(__dirname, "..", "node_modules", "solc"));

if (process.argv.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
}
