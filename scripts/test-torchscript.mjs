// Makes the cases of torch's operators anew, with every Python that is named, and compares graphs with torch.
//   npm run test:torchscript [-- FAMILY...]
// TORCHSCRIPT_PYTHONS: Pythons with torch, separated by colons (default: python3). Needs nothing built.
// ONNX_PYTHON: a Python with onnx, whose checker then looks at every graph.
// TORCHSCRIPT_OPSETS: default 17,18,20. At 18 all archives are tried, at others the scripted ones.
// The last line is "N passed, N failed"; before it stand the failures, and the operators that no case calls.
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "torchscript-"));
const pythons = (process.env.TORCHSCRIPT_PYTHONS ?? "python3").split(":");
const opsets = (process.env.TORCHSCRIPT_OPSETS ?? "17,18,20").split(",");
const models = join(folder, "models");
const families = process.argv.slice(2);

/** All cases of a Python, as archives and tensors in the folder. */
function make(python) {
  return new Promise((resolve, reject) => {
    execFile(
      python,
      [join(root, "scripts/fixtures/torchscript_ops.py"), folder, ...families],
      { maxBuffer: 1 << 26, env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } },
      (error, out, err) => (error === null ? resolve(out) : reject(new Error(`${python}: ${err.trim()}`))),
    );
  });
}

/** Every case at one opset; the models go into a folder of their own. */
function compare(opset) {
  const report = join(folder, "report.json");
  const test = "test/torchscript/operators.test.ts";
  spawnSync("npx", ["vitest", "run", test, "--reporter=json", `--outputFile=${report}`], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      TORCHSCRIPT_CASES: folder,
      TORCHSCRIPT_COVERAGE: join(folder, "calls.txt"),
      TORCHSCRIPT_OPSET: opset,
      TORCHSCRIPT_PROGRAMS: opset === "18" ? "." : "-scripted",
      TORCHSCRIPT_MODELS: models,
    },
  });
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  rmSync(report);
  for (const { message, assertionResults } of testResults)
    if (message && assertionResults.length === 0) console.log(message);
  return testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .map(({ status, fullName, failureMessages }) => ({
      name: `${fullName}, opset ${opset}`,
      passed: status === "passed",
      reason: (failureMessages[0] ?? "").split("\n")[0],
    }));
}

/** What onnx's checker, with the inference of types and shapes, says of each model. */
function check() {
  const python = process.env.ONNX_PYTHON;
  if (python === undefined) return [];
  const { stdout, stderr, status } = spawnSync(python, [join(root, "scripts/check_onnx.py"), models], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`${python}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(([name, reason]) => ({ name: `checker: ${name}`, passed: reason === null, reason }));
}

/** Operators with a rule, as the test wrote them: `+name` where a case called it, `-name` where none did. */
function coverage() {
  const lines = readFileSync(join(folder, "calls.txt"), "utf8").trim().split("\n");
  const names = (mark) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(1));
  return { called: names("+"), uncalled: names("-") };
}

try {
  // One after the other on two cores: torch takes both.
  for (const python of pythons) process.stdout.write(await make(python));
  mkdirSync(models);
  const results = [...opsets.flatMap(compare), ...check()];
  for (const { name, passed, reason } of results) if (!passed) console.log(`FAIL ${name}\n     ${reason}`);
  const { called, uncalled } = coverage();
  const files = readdirSync(folder).filter((name) => name.endsWith(".pt")).length;
  console.log(
    `${called.length} operators in ${files} archives; no case calls: ${uncalled.join(", ") || "–"}`,
  );
  const passed = results.filter((result) => result.passed).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exitCode = passed === results.length && passed > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
