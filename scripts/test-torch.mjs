// Compares conversions with the real torch, safetensors, huggingface_hub, onnx and ONNX Runtime, on the fixtures and on
// random state dicts.
//   npm run test:torch                 40 random state dicts
//   npm run test:torch -- 500 7        500 of seed 7
// TENSORFERRY_PYTHON names a Python with torch, safetensors, huggingface_hub and numpy; onnx and onnxruntime where ONNX is
// to be compared too.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist", "bin", "tensorferry.js");
const python = process.env.TENSORFERRY_PYTHON ?? "python3";
const [count = "40", seed = "1"] = process.argv.slice(2);

/** Runs the built command line. */
function tensorferry(...words) {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...words], (error, _, stderr) => {
      resolve({ exit: error === null ? 0 : (error.code ?? 1), said: stderr.trim() });
    });
  });
}

function randomInputs(folder) {
  execFileSync(python, [join(root, "test", "torch", "generate.py"), folder, seed, count], {
    stdio: "inherit",
  });
  return readdirSync(folder)
    .sort()
    .map((name) => ({ input: join(folder, name), select: null }));
}

/** Every fixture that holds tensors; one with several state dicts counts once for each. */
function fixtureInputs() {
  const rows = JSON.parse(readFileSync(join(root, "fixtures", "manifest.json"), "utf8"));
  return rows.flatMap(({ file, tensors, select, selections, format }) => {
    if (format !== "pytorch" && format !== "safetensors") return [];
    const input = join(root, "fixtures", file);
    if (selections) return Object.keys(selections).map((path) => ({ input, select: path }));
    return tensors?.length > 0 && !/-of-\d+/.test(file) ? [{ input, select: select ?? null }] : [];
  });
}

/** One file, one file with every name, shards small enough to be several, and a PyTorch file and back. */
async function convertAll({ input, select }, index, folder) {
  const here = join(folder, String(index));
  mkdirSync(here);
  const job = {
    input,
    select,
    single: join(here, "model.safetensors"),
    edited: join(here, "edited.safetensors"),
    copied: join(here, "copied.safetensors"),
    folder: join(here, "shards"),
    onnx: join(here, "onnx", "model.onnx"),
    back: join(here, "model.pth"),
    again: join(here, "again.safetensors"),
    maxShardSize: [300, 5_000, 100_000][index % 3],
  };
  const options = ["--quiet", ...(select === null ? [] : ["--select", select])];
  // A small buffer makes even small files take many reads.
  const small = [...options, "--buffer", "4KiB", "--jobs", String((index % 3) + 1)];
  const runs = [
    await tensorferry("convert", input, job.single, ...small),
    await tensorferry("convert", input, job.copied, "--tied", "copy", ...options),
    await tensorferry(
      "convert",
      input,
      `${job.folder}/`,
      "--max-shard-size",
      String(job.maxShardSize),
      ...options,
    ),
  ];
  const onnx = await tensorferry(
    "convert",
    input,
    job.onnx,
    ...onnxLayouts[index % onnxLayouts.length],
    ...small,
  );
  if (runs[0].exit === 0) {
    copyFileSync(job.single, job.edited);
    for (const words of [
      ["--metadata", `note=${"é".repeat(index % 9)}`],
      ["--metadata", "note="],
    ])
      runs.push(await tensorferry("edit", job.edited, ...words));
  }
  const back = await tensorferry("convert", input, job.back, ...small);
  if (back.exit === 0 && runs[0].exit === 0) {
    runs.push(await tensorferry("convert", job.back, job.again, "--quiet"));
  }
  const worst = runs.find(({ exit }) => exit !== 0) ?? { exit: 0, said: "" };
  return {
    ...job,
    ...worst,
    said: worst.said || back.said,
    backExit: back.exit,
    onnxExit: onnx.exit,
    onnxSaid: onnx.said,
  };
}

/** Where the weights of an ONNX file go, one of these for each input; safetensors has no place for all that ONNX holds. */
const onnxLayouts = [
  ["--external-data", "always"],
  ["--external-data", "pytorch"],
  ["--external-data", "never"],
  ["--max-shard-size", "5000"],
];

async function convertEach(inputs, folder) {
  const jobs = [];
  const queue = inputs.entries();
  const lane = async () => {
    for (const [index, input] of queue) jobs[index] = await convertAll(input, index, folder);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return jobs;
}

const folder = mkdtempSync(join(tmpdir(), "tensorferry-torch-"));
try {
  const inputs = join(folder, "inputs");
  mkdirSync(inputs);
  const jobs = await convertEach([...fixtureInputs(), ...randomInputs(inputs)], folder);
  const list = join(folder, "jobs.json");
  writeFileSync(list, JSON.stringify(jobs));
  const { status } = spawnSync(python, [join(root, "test", "torch", "compare.py"), list], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
