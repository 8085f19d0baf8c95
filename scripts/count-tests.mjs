// Prints "N passed, N failed" for a report of vitest's JSON reporter. A file that could not be loaded fails once.
//   node scripts/count-tests.mjs report.json
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const broken = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === "failed" && assertionResults.every((test) => test.status !== "failed"),
);
console.log(`${report.numPassedTests} passed, ${report.numFailedTests + broken.length} failed`);
