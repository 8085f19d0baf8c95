// Compares casts with the real torch: all pairs of types, into safetensors and PyTorch files, and quantized tensors.
//   npm run test:torch
// TENSORFERRY_PYTHON names a Python with torch and safetensors.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { convert } = await import(new URL("../dist/node.js", import.meta.url).href);
const python = process.env.TENSORFERRY_PYTHON ?? "python3";
const script = join(root, "test", "torch", "casts.py");
const types = ["f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", "f8_e4m3fnuz", "f8_e5m2fnuz"];

const folder = mkdtempSync(join(tmpdir(), "tensorferry-casts-"));
try {
  execFileSync(python, [script, "make", folder], { stdio: "inherit" });
  mkdirSync(join(folder, "out"));
  for (const source of [...types, "quantized"]) {
    for (const [index, target] of types.entries()) {
      for (const kind of ["safetensors", "pth"]) {
        await convert(join(folder, `${source}.pth`), join(folder, "out", `${source}-${target}.${kind}`), {
          dtype: target,
          allow: ["lossy-cast"],
          // Neither multiples of each other nor of most tensors.
          bufferBytes: [4096, 8 * 2 ** 20, 10_000][index % 3],
          jobs: 1 + (index % 3),
          verify: index % 2 === 0,
          ...(kind === "safetensors" ? { tied: "copy" } : {}),
        });
      }
    }
  }
  const { status } = spawnSync(python, [script, "compare", folder], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
