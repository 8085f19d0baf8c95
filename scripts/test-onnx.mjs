// Compares what is read of random ONNX models with what the real onnx reads of them, and has it look at them once they
// were written over again with their weights elsewhere.
//   npm run test:torch                     40 models
//   node scripts/test-onnx.mjs 500 7       500 of seed 7
// TENSORFERRY_PYTHON names a Python with onnx and numpy.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { convert, open } from "../dist/node.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const python = process.env.TENSORFERRY_PYTHON ?? "python3";
const [count = "40", seed = "1"] = process.argv.slice(2);

/** Every tensor of a model as the library reads it, in the form of the facts. */
async function read(file) {
  const model = await open(file, { naming: { names: "onnx" } });
  const tensors = [];
  for (const [name, { dtype, shape, payload, permission }] of model.dict.tensors) {
    const sha256 = createHash("sha256")
      .update(await model.read(name))
      .digest("hex");
    const sparse = permission === undefined ? {} : { sparse: true };
    tensors.push({ name, dtype, shape, bytes: payload.size, sha256, ...sparse });
  }
  const others = model.dict.leftovers.map(({ name }) => name);
  await model.close();
  return { tensors, others };
}

/** Where the weights of a model go, one of these after the other; safetensors and PyTorch lack some types. */
const layouts = ["safetensors", "never", "pytorch", "always"];

/** Writes a model over again; tells the error where it is refused for what it holds. */
async function rewrite(file, index) {
  const output = join(dirname(file), "rewritten", "model.onnx");
  const externalData = layouts[index % layouts.length];
  try {
    await convert(file, output, { externalData, verify: true });
    return { pair: [file, output] };
  } catch (error) {
    const isMeant =
      error.kind === "unsupported" && / is sparse and lies | has no dtype for /.test(error.message);
    return isMeant ? {} : { failure: `${file}: ${error}` };
  }
}

/** What the real onnx has against pairs of an original and a rewritten model. */
function problemsOf(pairs, folder) {
  const list = join(folder, "pairs.json");
  writeFileSync(list, JSON.stringify(pairs));
  const script = join(root, "test", "torch", "rewritten_onnx.py");
  return JSON.parse(execFileSync(python, [script, list], { encoding: "utf8" }));
}

try {
  execFileSync(python, ["-c", "import onnx, numpy"], { stdio: "ignore" });
} catch {
  console.log(`skipped: ${python} has no onnx and numpy`);
  console.log("0 passed, 0 failed");
  process.exit();
}

let passed = 0;
let failed = 0;
const folder = mkdtempSync(join(tmpdir(), "tensorferry-onnx-"));
try {
  execFileSync(python, [join(root, "test", "torch", "random_onnx.py"), folder, seed, count], {
    stdio: "inherit",
  });
  const pairs = [];
  const failures = [];
  const rows = JSON.parse(readFileSync(join(folder, "facts.json"), "utf8"));
  for (const [row, { file, tensors, others }] of rows.entries()) {
    if (tensors.length === 0) continue;
    const found = await read(file).catch((error) => ({ tensors: [{ name: String(error) }], others }));
    for (const [index, wanted] of tensors.entries()) {
      if (JSON.stringify(found.tensors[index]) === JSON.stringify(wanted)) passed++;
      else {
        failed++;
        console.log(
          `FAILED: ${file}: ${JSON.stringify(wanted)} was read as ${JSON.stringify(found.tensors[index])}`,
        );
      }
    }
    const { pair, failure } = await rewrite(file, row);
    if (pair) pairs.push(pair);
    if (failure) failures.push(failure);
    if (found.tensors.length === tensors.length && String(found.others) === String(others)) passed++;
    else {
      failed++;
      console.log(
        `FAILED: ${file}: ${found.tensors.length} of ${tensors.length} tensors, beside ${found.others}`,
      );
    }
  }
  const problems = problemsOf(pairs, folder);
  passed += pairs.length - problems.length;
  failures.push(...problems);
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  console.log(`${pairs.length} of ${rows.length} models written over again`);
  failed += failures.length;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
