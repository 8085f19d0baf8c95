// Exports networks with the real torch and counts what of their state dicts comes back: the table of docs/onnx-names.md.
//   npm run test:recovery                    every network
//   npm run test:recovery -- vit lstm        some
// TENSORFERRY_PYTHON names a Python with torch; TORCH_1_13_PYTHON, where set, another one with torch 1.13 and torchvision.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("recovery.py", import.meta.url));
const pythons = [process.env.TENSORFERRY_PYTHON ?? "python3", process.env.TORCH_1_13_PYTHON].filter(Boolean);

let passed = 0;
let failed = 0;
for (const python of pythons) {
  const folder = mkdtempSync(join(tmpdir(), "tensorferry-recovery-"));
  const words = ["-W", "ignore", script, folder, ...process.argv.slice(2)];
  const done = spawnSync(python, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  rmSync(folder, { recursive: true, force: true });
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(done.stdout ?? "");
  console.log((done.stdout ?? "").replace(/^\d+ passed.*\n/m, ""));
  passed += Number(counts?.[1] ?? 0);
  failed += counts ? Number(counts[2]) : 1;
}
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
