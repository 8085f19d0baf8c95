// Makes the cases of torch's operators anew, with every Python that is named, and compares graphs with torch.
//   npm run test:torchscript [-- FAMILY...]
// TORCHSCRIPT_PYTHONS: Pythons with torch, separated by colons (default: TENSORFERRY_PYTHON and python3, where they have
// torch, each release once). ONNX_PYTHON: a Python with onnx, whose checker looks at every graph (default: the first of
// them that has it). Needs nothing built.
// TORCHSCRIPT_OPSETS: default 17,18,20. At 18 all archives are tried, at others the scripted ones.
// The last line is "N passed, N failed"; before it stand the failures, and the operators whose rules no case goes through.
import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "torchscript-"));
const opsets = (process.env.TORCHSCRIPT_OPSETS ?? "17,18,20").split(",");
const models = join(folder, "models");
const families = process.argv.slice(2);

/** What a Python prints, or nothing where it fails. */
function ask(python, code) {
  const { stdout, status } = spawnSync(python, ["-c", code], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

function findPythons() {
  if (process.env.TORCHSCRIPT_PYTHONS !== undefined) return process.env.TORCHSCRIPT_PYTHONS.split(":");
  const found = new Map();
  for (const python of [process.env.TENSORFERRY_PYTHON, "python3", "/usr/bin/python3"]) {
    if (python === undefined) continue;
    const release = ask(python, "import torch; print(torch.__version__.rsplit('.', 1)[0])");
    if (release !== undefined && !found.has(release)) found.set(release, python);
  }
  return [...found.values()];
}

const pythons = findPythons();
const checker = process.env.ONNX_PYTHON ?? pythons.find((python) => ask(python, "import onnx") !== undefined);

/** All cases of a Python, as archives and tensors in the folder. */
function make(python) {
  return new Promise((resolve, reject) => {
    execFile(
      python,
      [join(root, "scripts/fixtures/torchscript_ops.py"), folder, ...families],
      { maxBuffer: 1 << 26, env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", CASES_PER_ARCHIVE: "24" } },
      (error, out, err) => (error === null ? resolve(out) : reject(new Error(`${python}: ${err.trim()}`))),
    );
  });
}

/** Files of cases by the release of torch that made them. */
function releases() {
  const found = readdirSync(folder).flatMap((name) => /-([\d.]+)\.safetensors$/.exec(name)?.[1] ?? []);
  return [...new Set(found)];
}

/** What is compared in a process of its own: at 18 all programs of each release, at other opsets the scripted ones. */
function tasks() {
  const kinds = (opset) => (opset === "18" ? ["traced", "scripted"] : ["scripted"]);
  return opsets.flatMap((opset) =>
    kinds(opset).flatMap((kind) => releases().map((release) => ({ opset, programs: `-${release}-${kind}` }))),
  );
}

/** Every case of some programs at one opset; the models go into a folder of their own. */
function compare({ opset, programs }) {
  const label = `${opset}${programs}`;
  const report = join(folder, `${label}.json`);
  const test = "test/torchscript/operators.test.ts";
  const vitest = spawn("npx", ["vitest", "run", test, "--reporter=json", `--outputFile=${report}`], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      TORCHSCRIPT_CASES: folder,
      TORCHSCRIPT_COVERAGE: join(folder, `${label}.calls`),
      TORCHSCRIPT_OPSET: opset,
      TORCHSCRIPT_PROGRAMS: programs,
      TORCHSCRIPT_MODELS: models,
    },
  });
  return new Promise((resolve) => vitest.on("close", () => resolve(resultsOf(report, opset))));
}

function resultsOf(report, opset) {
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
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

/** As many processes at a time as there are processors. */
async function compareAll() {
  const waiting = tasks();
  const results = [];
  const work = async () => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift())
      results.push(...(await compare(task)));
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
  return results;
}

/** What onnx's checker, with the inference of types and shapes, says of each model. */
function check() {
  if (checker === undefined) return [];
  const { stdout, stderr, status } = spawnSync(checker, [join(root, "scripts/check_onnx.py"), models], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`${checker}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(([name, reason]) => ({ name: `checker: ${name}`, passed: reason === null, reason }));
}

/** Rules as the processes wrote them: `+name(types)` where a case went through it, `-name(types)` where none did. */
function coverage() {
  const lines = readdirSync(folder)
    .filter((name) => name.endsWith(".calls"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").trim().split("\n"));
  const rules = [...new Set(lines.map((line) => line.slice(1)))].sort();
  const proven = new Set(lines.filter((line) => line.startsWith("+")).map((line) => line.slice(1)));
  const nameOf = (rule) => rule.slice(0, rule.indexOf("("));
  const names = [...new Set(rules.map(nameOf))];
  const provenNames = new Set([...proven].map(nameOf));
  return {
    names,
    uncalled: names.filter((name) => !provenNames.has(name)),
    overloads: rules.filter((rule) => !proven.has(rule) && provenNames.has(nameOf(rule))),
  };
}

const started = Date.now();
try {
  // One after the other on two cores: torch takes both.
  for (const python of pythons) process.stdout.write(await make(python));
  mkdirSync(models);
  const results = [...(await compareAll()), ...check()];
  for (const { name, passed, reason } of results) if (!passed) console.log(`FAIL ${name}\n     ${reason}`);
  const { names, uncalled, overloads } = coverage();
  const files = readdirSync(folder).filter((name) => name.endsWith(".pt")).length;
  for (const overload of overloads) console.log(`no case goes through ${overload}`);
  console.log(
    `${names.length - uncalled.length} of ${names.length} operators in ${files} archives; no case calls: ${uncalled.join(", ") || "–"}`,
  );
  console.log(`${Math.round((Date.now() - started) / 1000)} s`);
  const passed = results.filter((result) => result.passed).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  process.exitCode = passed === results.length && passed > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
