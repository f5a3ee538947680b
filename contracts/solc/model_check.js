#!/usr/bin/env node
// As solc.js, with an SMT solver: each query of the compiler's model checker goes to the z3 that
// Z3 names, for at most Z3_SECONDS. The compiler's own z3 needs threads, which Node does not give it.
"use strict";
const { spawnSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const solc = require(path.join(__dirname, "..", "node_modules", "solc"));

function smtSolver(query) {
  const seconds = process.env.Z3_SECONDS || "20";
  const run = spawnSync(process.env.Z3, ["-in", "-smt2", `-T:${seconds}`], { input: query });
  if (run.error) return { error: String(run.error) };
  const answer = run.stdout.toString();
  return { contents: answer.startsWith("timeout") ? "unknown\n" : answer };
}

process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { smtSolver }));
