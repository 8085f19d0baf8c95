// Takes whole checkpoints through `--all` to safetensors and back, and compares the objects under the real torch.load;
// training resumes from both and has to come to the same bits.
//   npm run test:torch             runs this too
// TENSORFERRY_PYTHON names a Python with torch and numpy; TORCH_1_13_PYTHON, where set, another one with torch 1.13.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convert } from "../dist/node.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const script = join(root, "test", "torch", "whole.py");
const makers = [
  { maker: "torch-2.13", python: process.env.TENSORFERRY_PYTHON ?? "python3" },
  { maker: "torch-1.13", python: process.env.TORCH_1_13_PYTHON },
].filter(({ python }) => python);

/** Every fixture that a release of torch made and loads: checkpoints, modules, state dicts, tensors of all kinds. */
function fixtures(maker) {
  const rows = ["manifest.json", "more.json"].flatMap((name) =>
    JSON.parse(readFileSync(join(root, "fixtures", name), "utf8")),
  );
  return rows
    .filter(({ format, container = "zip", file, refusedBy }) => {
      const isObject = format === "pytorch" && /^(zip|legacy)$/.test(container);
      return isObject && file.includes(`/${maker}/`) && !refusedBy;
    })
    .map(({ file }) => join(root, "fixtures", file));
}

/** What safetensors has no room for, and the words with which it is refused. */
const refusals = [
  [/special\/.*\/complex/, "safetensors has no dtype for"],
  [/special\/.*\/quantized-narrow/, "QUInt4x2Storage, which are not read"],
];

async function takeThere(input, index, folder) {
  const here = join(folder, String(index));
  mkdirSync(here);
  const between = join(here, "whole.safetensors");
  const back = join(here, "back.pth");
  const refused = refusals.find(([files]) => files.test(input))?.[1] ?? null;
  try {
    await convert(input, between, { all: true, allow: ["unsafe-pickle"] });
    await convert(between, back, { allow: ["unsafe-pickle"] });
    return { input, back, exit: 0, said: "", refused };
  } catch (error) {
    return { input, back, exit: 1, said: String(error.message), refused };
  }
}

let passed = 0;
let failed = 0;
for (const { maker, python } of makers) {
  const folder = mkdtempSync(join(tmpdir(), "tensorferry-whole-"));
  try {
    const made = join(folder, "made");
    mkdirSync(made);
    execFileSync(python, [script, "train", made], { stdio: "inherit" });
    const inputs = [...readdirSync(made).map((name) => join(made, name)), ...fixtures(maker)];
    const jobs = [];
    for (const [index, input] of inputs.entries()) jobs.push(await takeThere(input, index, folder));
    writeFileSync(join(folder, "jobs.json"), JSON.stringify(jobs));
    const { stdout, stderr, status } = spawnSync(python, [script, "compare", join(folder, "jobs.json")], {
      encoding: "utf8",
    });
    process.stdout.write(stdout.replace(/^\d+ passed, \d+ failed\n/m, ""));
    const counts = /^(\d+) passed, (\d+) failed$/m.exec(stdout);
    if (counts === null) process.stderr.write(stderr);
    passed += Number(counts?.[1] ?? 0);
    failed += Number(counts?.[2] ?? 1);
    if (status !== 0 && counts?.[2] === "0") failed++;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
