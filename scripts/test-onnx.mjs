// Compares what is read of random ONNX models with what the real onnx reads of them.
//   npm run test:torch                     40 models
//   node scripts/test-onnx.mjs 500 7       500 of seed 7
// TENSORFERRY_PYTHON names a Python with onnx and numpy.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "../dist/node.js";

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
  for (const { file, tensors, others } of JSON.parse(readFileSync(join(folder, "facts.json"), "utf8"))) {
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
    if (found.tensors.length === tensors.length && String(found.others) === String(others)) passed++;
    else {
      failed++;
      console.log(
        `FAILED: ${file}: ${found.tensors.length} of ${tensors.length} tensors, beside ${found.others}`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
