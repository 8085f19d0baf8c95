// Compiles whole networks that torch made, and compares what ONNX Runtime makes of them with torch's own outputs.
//   node scripts/test-networks.mjs FOLDER [PATTERN...]   networks whose name matches; what FOLDER/results.jsonl has is passed over
//   node scripts/test-networks.mjs --table FOLDER        docs/torchscript-networks.md from the results
// TORCHSCRIPT_PYTHONS: Pythons with torch, separated by colons (default: python3); a network is made by the first that has it.
// Needs `npm run build`. JOBS networks at a time (default 1). KEEP=1 leaves the files of the networks where they are.
import { execFile } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const script = join(root, "scripts/networks.py");
const cli = join(root, "dist/cli/main.js");
/** Largest difference as a part of the largest output that counts as equal: float32 through up to 500 layers. */
const tolerance = 2e-4;

function run(command, args, options = {}) {
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      {
        maxBuffer: 1 << 26,
        timeout: 600_000,
        ...options,
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...options.env },
      },
      (error, out, err) =>
        resolve({
          code: error === null ? 0 : (error.code ?? 1),
          out,
          err: error?.killed ? "it took more than 10 minutes" : err,
        }),
    );
  });
}

/** Prints the peak of its memory when the process ends, as the last line of standard error. */
const meter =
  'data:text/javascript,import fs from"node:fs";process.on("exit",()=>fs.writeSync(2,"\\npeak "+process.resourceUsage().maxRSS+"\\n"))';

async function compile(model, output, args) {
  const started = performance.now();
  const { code, out, err } = await run(process.execPath, [
    "--import",
    meter,
    cli,
    "convert",
    model,
    output,
    "--inputs",
    args,
    "--json",
    "--force",
  ]);
  const seconds = (performance.now() - started) / 1000;
  const peak = Number(/peak (\d+)\s*$/.exec(err)?.[1] ?? 0) / 1024;
  const message = err
    .replace(/\npeak \d+\s*$/, "")
    .replace(/^error: [^ ]*\.pt: /, "")
    .trim();
  return { code, seconds, peak, message, notices: code === 0 ? JSON.parse(out).notices : [] };
}

/** In a process of its own, since a runtime may crash: the largest difference as a part of the largest output. */
async function compare(model, known) {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const { open } = await import(pathToFileURL(join(root, "dist/node.js")).href);
  const types = {
    F64: ["float64", Float64Array],
    F32: ["float32", Float32Array],
    I64: ["int64", BigInt64Array],
    BOOL: ["bool", Uint8Array],
  };
  const file = await open(known);
  const side = { in: [], out: [] };
  for (const [name, { dtype, shape }] of file.dict.tensors) {
    const [type, array] = types[dtype];
    side[name.split("/")[0]].push({
      type,
      shape,
      data: new array((await file.read(name)).slice().buffer),
    });
  }
  const session = await InferenceSession.create(model, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const inputs = side.in.map(({ type, data, shape }) => new Tensor(type, data, shape));
  if (session.inputNames.length !== inputs.length)
    return { reason: `it has ${session.inputNames.length} inputs, not ${inputs.length}` };
  const given = await session.run(
    Object.fromEntries(session.inputNames.map((name, index) => [name, inputs[index]])),
  );
  const outputs = session.outputNames.map((name) => given[name]);
  if (outputs.length !== side.out.length)
    return { reason: `it has ${outputs.length} outputs, not ${side.out.length}` };
  return largestDifference(outputs, side.out);
}

function largestDifference(outputs, wanted) {
  let worst = 0;
  for (const [index, { type, shape, data }] of wanted.entries()) {
    const actual = outputs[index];
    if (actual.type !== type) return { reason: `output ${index} is ${actual.type}, not ${type}` };
    if (actual.dims.join() !== shape.join())
      return { reason: `output ${index} has shape [${actual.dims}], not [${shape}]` };
    const numbers = Array.from(data, Number);
    const most = numbers.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    if (numbers.length > 1 && most === 0)
      return { reason: `output ${index} is all zeros, so that nothing is compared` };
    for (const [at, value] of numbers.entries()) {
      const other = Number(actual.data[at]);
      if (Object.is(other, value)) continue;
      const difference = Math.abs(other - value) / (most || 1);
      if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    }
  }
  return { worst };
}

/** The networks of each Python, once. */
async function listed() {
  const found = new Map();
  for (const python of (process.env.TORCHSCRIPT_PYTHONS ?? "python3").split(":")) {
    const { out, err, code } = await run(python, [script, "list"]);
    if (code !== 0) throw new Error(`${python}: ${err}`);
    for (const line of out.trim().split("\n")) {
      const [kind, name] = line.split(" ");
      if (name !== undefined && !found.has(name)) found.set(name, { kind, name, python });
    }
  }
  return [...found.values()];
}

function readResults(folder) {
  const path = join(folder, "results.jsonl");
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").trim().split("\n").filter(Boolean);
  // The last one of a network counts.
  return new Map(
    lines.map((line) => JSON.parse(line)).map((result) => [`${result.name} ${result.way}`, result]),
  );
}

async function tryNetwork({ kind, name, python }, folder) {
  const note = (result) => {
    appendFileSync(join(folder, "results.jsonl"), `${JSON.stringify({ kind, name, ...result })}\n`);
    const { way, passes, worst, reason, seconds, peak } = result;
    const figures = passes
      ? `${worst.toExponential(1)}, ${seconds.toFixed(1)} s, ${peak.toFixed(0)} MiB`
      : reason;
    console.log(`${passes ? "pass" : "FAIL"} ${name} ${way}: ${figures}`);
  };
  const { code, err } = await run(python, [script, "make", name, folder]);
  if (code !== 0) {
    const last = err.trim().split("\n").at(-1);
    note({ way: "made", passes: false, reason: `torch could not run it: ${last}` });
    return;
  }
  const about = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  for (const [way, reason] of Object.entries(about.refused))
    note({ way, passes: false, isTorch: true, reason });
  for (const way of about.made) {
    const output = join(folder, `${name}-${way}.onnx`);
    const done = await compile(join(folder, `${name}-${way}.pt`), output, join(folder, `${name}.json`));
    const { seconds, peak } = done;
    const common = {
      way,
      seconds,
      peak,
      export: about.export[way],
      parameters: about.parameters,
      torch: about.torch,
    };
    if (done.code !== 0) {
      note({ ...common, passes: false, exit: done.code, reason: done.message });
      continue;
    }
    const words = ["--compare", output, join(folder, `${name}.safetensors`)];
    const compared = await run(process.execPath, [fileURLToPath(import.meta.url), ...words]);
    const result =
      compared.code === 0
        ? JSON.parse(compared.out)
        : { reason: `ONNX Runtime: ${/Error: (.*)/.exec(compared.err)?.[1] ?? "it crashed"}` };
    const passes = result.worst !== undefined && result.worst !== null && result.worst <= tolerance;
    const reason = passes ? undefined : (result.reason ?? `the outputs differ by ${result.worst}`);
    note({ ...common, passes, worst: result.worst, reason });
  }
  if (process.env.KEEP) return;
  for (const file of readdirSync(folder)) {
    if (file.startsWith(`${name}-`) || file.startsWith(`${name}.`)) rmSync(join(folder, file));
  }
}

async function testNetworks(folder, patterns) {
  mkdirSync(folder, { recursive: true });
  const done = new Set([...readResults(folder).values()].map(({ name }) => name));
  const wanted = patterns.map((pattern) => new RegExp(pattern));
  const networks = (await listed()).filter(({ name, kind }) =>
    wanted.length === 0 ? !done.has(name) : wanted.some((own) => own.test(name) || own.test(kind)),
  );
  const queue = networks.values();
  const lane = async () => {
    for (const network of queue) await tryNetwork(network, folder);
  };
  await Promise.all(Array.from({ length: Number(process.env.JOBS ?? 1) }, lane));
  const results = [...readResults(folder).values()];
  const passed = results.filter(({ passes }) => passes).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--compare") console.log(JSON.stringify(await compare(rest[0], rest[1])));
else if (first === "--table") {
  const { networksTable } = await import("./networks-table.mjs");
  writeFileSync(
    join(root, "docs/torchscript-networks.md"),
    networksTable([...readResults(rest[0]).values()]),
  );
} else if (first !== undefined) await testNetworks(first, rest);
else console.error("usage: node scripts/test-networks.mjs FOLDER [PATTERN...]");
