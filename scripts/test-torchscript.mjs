// Makes the cases of torch's operators anew, with every Python that is named, and compares graphs with torch.
//   npm run test:torchscript
// TORCHSCRIPT_PYTHONS: Pythons with torch, separated by colons (default: python3).
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "torchscript-"));
const pythons = (process.env.TORCHSCRIPT_PYTHONS ?? "python3").split(":");

try {
  for (const python of pythons) {
    execFileSync(python, [join(root, "scripts/fixtures/torchscript_ops.py"), folder], {
      stdio: "inherit",
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    });
  }
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", "test/torchscript/operators.test.ts", "--reporter=dot"],
    {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, TORCHSCRIPT_CASES: folder },
    },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
