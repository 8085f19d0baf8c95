// Measures conversions against cp and against torch, in turns, and prints medians and ratios as a Markdown table.
//   npm run bench                 all cases
//   npm run bench -- 2gb start    some
// TENSORFERRY_PYTHON names a Python with torch and safetensors; TENSORFERRY_BENCH_DIR a folder with 30 GB of space.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const python = process.env.TENSORFERRY_PYTHON ?? "python3";
const folder = process.env.TENSORFERRY_BENCH_DIR ?? join(here, "..", ".bench");
const cli = join(here, "..", "dist", "bin", "tensorferry.js");
const rounds = Number(process.env.TENSORFERRY_BENCH_ROUNDS ?? 5);

function checkpoint(name, extension = "pth") {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.${extension}`);
  if (!existsSync(path))
    execFileSync(python, [join(here, "bench", "generate.py"), name, path], { stdio: "inherit" });
  return path;
}

/** Contenders take turns, so that a slow minute of the machine hits all of them. */
function compare(contenders, input) {
  // What a run may need: the page cache of its output, and as much again for whoever holds tensors.
  const wanted = input === undefined ? 0 : 3 * statSync(input).size + 2 ** 30;
  const warm = String(Math.min(wanted, Math.floor(freemem() * 0.75)));
  const output = join(folder, "output");
  const results = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, command } of contenders) {
      rmSync(output, { recursive: true, force: true });
      mkdirSync(output);
      const words = command(output);
      execFileSync(python, [join(here, "bench", "touch.py"), warm]);
      const printed = execFileSync(python, [join(here, "bench", "measure.py"), ...words], {
        encoding: "utf8",
      });
      const result = JSON.parse(printed);
      if (result.exit !== 0) throw new Error(`${words.join(" ")} ended with ${result.exit}`);
      // The first round fills the page cache and counts for nobody.
      if (round > 0) results.get(name).push(result);
    }
  }
  rmSync(output, { recursive: true, force: true });
  return results;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function print(title, results) {
  const rows = [...results].map(([name, runs]) => ({
    name,
    seconds: median(runs.map((run) => run.seconds)),
    peak: Math.max(...runs.map((run) => run.peakMiB)),
  }));
  const base = rows[0].seconds;
  console.log(`\n### ${title}\n\n| | median | ratio | peak memory |\n|---|---|---|---|`);
  for (const { name, seconds, peak } of rows) {
    console.log(
      `| ${name} | ${seconds.toFixed(2)} s | ${(seconds / base).toFixed(2)} | ${peak.toFixed(0)} MiB |`,
    );
  }
}

function size(path) {
  return `${(statSync(path).size / 1e9).toFixed(2)} GB`;
}

const cp = (input) => ({
  name: "cp --reflink=never",
  command: (output) => ["cp", "--reflink=never", input, output],
});
const ferryTo = (extension, input, name, ...options) => ({
  name,
  command: (output) => [
    process.execPath,
    cli,
    "convert",
    input,
    join(output, `model.${extension}`),
    "--quiet",
    ...options,
  ],
});
const ferry = (input, name = "tensorferry", ...options) => ferryTo("safetensors", input, name, ...options);
const shards = (input) => ({
  name: "tensorferry, shards of 500 MB",
  command: (output) => [
    process.execPath,
    cli,
    "convert",
    input,
    `${output}/`,
    "--max-shard-size",
    "500MB",
    "--quiet",
  ],
});
const torch = (input) => ({
  name: "torch.load(mmap) + save_file",
  command: (output) => [
    python,
    join(here, "bench", "torch_convert.py"),
    input,
    join(output, "model.safetensors"),
  ],
});

const cases = {
  start() {
    const node = { name: "node -e 0", command: () => [process.execPath, "-e", "0"] };
    print(
      "start-up",
      compare([node, { name: "tensorferry --version", command: () => [process.execPath, cli, "--version"] }]),
    );
  },
  "70000-tensors"() {
    const input = checkpoint("70000-tensors");
    const inspect = {
      name: "inspect --json",
      command: () => [process.execPath, cli, "inspect", input, "--json"],
    };
    print(
      `70,000 tensors, ${size(input)}`,
      compare([cp(input), inspect, ferry(input, "convert"), torch(input)], input),
    );
  },
  "200000-tensors"() {
    const input = checkpoint("200000-tensors");
    const inspect = {
      name: "inspect --json",
      command: () => [process.execPath, cli, "inspect", input, "--json"],
    };
    const contenders = [
      cp(input),
      inspect,
      ferryTo("safetensors", input, "convert to safetensors"),
      ferryTo("pth", input, "convert to .pth"),
      torch(input),
    ];
    print(`200,000 tensors, ${size(input)}`, compare(contenders, input));
  },
  legacy() {
    const input = checkpoint("2gb-legacy");
    print(`PyTorch legacy stream to safetensors, ${size(input)}`, compare([cp(input), ferry(input)], input));
  },
  "to-pth"() {
    const input = checkpoint("2gb-safetensors", "safetensors");
    print(
      `safetensors to .pth, ${size(input)}`,
      compare([cp(input), ferryTo("pth", input, "tensorferry")], input),
    );
  },
  onnx() {
    const input = checkpoint("2gb-onnx", "onnx");
    const inspect = {
      name: "inspect --json",
      command: () => [process.execPath, cli, "inspect", input, "--json"],
    };
    const byOnnx = {
      name: "onnx.load + save_file",
      command: (output) => [
        python,
        join(here, "bench", "onnx_convert.py"),
        input,
        join(output, "model.safetensors"),
      ],
    };
    print(`ONNX to safetensors, ${size(input)}`, compare([cp(input), inspect, ferry(input), byOnnx], input));
  },
  "onnx-large"() {
    const inline = checkpoint("4gb-onnx", "onnx");
    print(`ONNX in one file to safetensors, ${size(inline)}`, compare([cp(inline), ferry(inline)], inline));
    const model = checkpoint("3gb-onnx-external", "onnx");
    const weights = `${model}.data`;
    print(
      `ONNX with its weights beside it to safetensors, ${size(weights)}`,
      compare([cp(weights), ferry(model)], weights),
    );
  },
  "onnx-transposed"() {
    const input = checkpoint("transposed-onnx", "onnx");
    print(
      `ONNX of transposed weights to safetensors, ${size(input)}`,
      compare([cp(input), ferry(input)], input),
    );
  },
  strided() {
    for (const name of ["strided", "permuted", "reversed"]) {
      const input = checkpoint(name);
      print(`${name} tensor, ${size(input)}`, compare([cp(input), ferry(input), torch(input)], input));
    }
  },
  "2gb"() {
    const input = checkpoint("2gb");
    print(
      `PyTorch zip to safetensors, ${size(input)}`,
      compare([cp(input), ferry(input), shards(input), torch(input)], input),
    );
  },
  casts() {
    const input = checkpoint("2gb");
    const to = (dtype) =>
      ferry(input, `tensorferry --dtype ${dtype}`, "--dtype", dtype, "--allow", "lossy-cast");
    print(
      `PyTorch zip to safetensors with casts from f32, ${size(input)}`,
      compare([cp(input), ...["bf16", "f16", "f8_e4m3", "f64"].map(to)], input),
    );
  },
  "8gb"() {
    const input = checkpoint("8gb");
    print(`PyTorch zip to safetensors, ${size(input)}`, compare([cp(input), ferry(input)], input));
  },
  "one-4gib"() {
    const input = checkpoint("one-4gib");
    print(`one tensor of 4 GiB`, compare([cp(input), ferry(input)], input));
  },
};

const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (Object.hasOwn(cases, name)) continue;
  console.error(`there is no case '${name}'; there are: ${Object.keys(cases).join(" ")}`);
  process.exit(2);
}
for (const name of chosen.length > 0 ? chosen : Object.keys(cases)) cases[name]();
