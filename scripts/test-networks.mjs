// Compiles whole networks that torch made, and compares what ONNX Runtime makes of them with torch's own outputs.
//   node scripts/test-networks.mjs FOLDER [PATTERN...]   networks whose name matches; what FOLDER/results.jsonl has is passed over
//   node scripts/test-networks.mjs --table FOLDER        docs/torchscript-networks.md from the results
// TORCHSCRIPT_PYTHONS: Pythons with torch, separated by colons (default: python3); a network is made by the first that has it.
// Needs `npm run build`. UNTIMED=1 does without torch's exporter and the seconds. JOBS networks at a time (default 1). KEEP=1 leaves the files of the networks where they are.
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
const exporter = join(root, "scripts/export_archive.py");
const cli = join(root, "dist/bin/tensorferry.js");
/** Largest difference as a part of the largest output that counts as equal: float32 through up to 500 layers. */
const layers = 2e-4;

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

/** The command as people give it. */
async function compile({ archive, output, args }) {
  const started = performance.now();
  const words = ["convert", archive, output, "--inputs", args, "--json", "--force"];
  const { code, err } = await run(process.execPath, ["--import", meter, cli, ...words]);
  const seconds = (performance.now() - started) / 1000;
  const peak = Number(/peak (\d+)\s*$/.exec(err)?.[1] ?? 0) / 1024;
  const message = err
    .replace(/\npeak \d+\s*$/, "")
    .replace(/^error: [^ ]*\.pt: /, "")
    .trim();
  return { code, seconds, peak, message };
}

/** A process that loads the archive and exports it with torch; `alone` is without starting Python and importing torch. */
async function exportWithTorch({ archive, inputs, output, python, packages }) {
  const started = performance.now();
  const { code, out, err } = await run(python, [exporter, archive, inputs, `${output}.export`, ...packages]);
  const whole = (performance.now() - started) / 1000;
  if (code !== 0) return { error: err.trim().split("\n").at(-1) || `it ended with ${code}` };
  const { seconds, error } = JSON.parse(out.trim().split("\n").at(-1));
  return error === undefined ? { whole, alone: seconds } : { error };
}

/** Seconds of a conversion in a process of its own, which has loaded the library, and has converted nothing yet. */
async function convertAlone(archive, output, args) {
  const { convert } = await import(pathToFileURL(join(root, "dist/node.js")).href);
  for (const room of ["containers", "convert", "formats", "node", "paths", "torchscript", "transforms"]) {
    const modules = readdirSync(join(root, "dist", room), { recursive: true });
    for (const path of modules.filter((name) => name.endsWith(".js") && !name.endsWith("worker.js")))
      await import(pathToFileURL(join(root, "dist", room, path)).href);
  }
  const started = performance.now();
  await convert(archive, output, {
    script: { document: JSON.parse(readFileSync(args, "utf8")) },
    force: true,
  });
  return (performance.now() - started) / 1000;
}

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** Both ways of both tools, right after each other, so that what else the machine does hits all; three times where that is short. */
async function measure(job) {
  const rounds = [];
  do {
    const whole = await compile(job);
    const other = await exportWithTorch(job);
    const words = ["--alone", job.archive, `${job.output}.alone.onnx`, job.args];
    const { code, out, err } = await run(process.execPath, [fileURLToPath(import.meta.url), ...words]);
    if (code !== 0) throw new Error(err);
    const alone = Number(out);
    rounds.push({ whole: whole.seconds, alone, peak: whole.peak, other });
  } while (rounds.length < 3 && rounds[0].whole < 2 && (rounds[0].other.alone ?? 9) < 5);
  const of = (pick) => middle(rounds.map(pick));
  return {
    seconds: of(({ whole }) => whole),
    alone: of(({ alone }) => alone),
    peak: of(({ peak }) => peak),
    torchSeconds: of(({ other }) => other.whole),
    torchAlone: of(({ other }) => other.alone),
    torchFails: rounds[0].other.error,
  };
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

async function compared(model, known) {
  const { code, out, err } = await run(process.execPath, [
    fileURLToPath(import.meta.url),
    "--compare",
    model,
    known,
  ]);
  if (code === 0) return JSON.parse(out);
  return { reason: `ONNX Runtime: ${/Error: (.*)/.exec(err)?.[1] ?? "it crashed"}` };
}

function largestDifference(outputs, wanted) {
  let worst = 0;
  if (wanted.every(({ data }) => data.length === 0))
    return { reason: "all outputs are empty, so that nothing is compared" };
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
    const { way, passes, worst, reason, seconds, alone, peak, torchSeconds, torchAlone, torchFails } = result;
    const figures = passes
      ? `${worst.toExponential(1)}, ${seconds.toFixed(2)} s (alone ${alone?.toFixed(2)}), torch ${torchFails ?? `${torchSeconds?.toFixed(2)} s (${torchAlone?.toFixed(2)})`}, ${peak.toFixed(0)} MiB`
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
    const job = {
      archive: join(folder, `${name}-${way}.pt`),
      inputs: join(folder, `${name}-inputs.bin`),
      args: join(folder, `${name}.json`),
      output: join(folder, `${name}-${way}.onnx`),
      packages: kind === "detection" ? ["torchvision"] : [],
      python,
    };
    const common = { way, parameters: about.parameters, torch: about.torch, noise: about.noise ?? undefined };
    const { code, message, seconds, peak } = await compile(job);
    if (code !== 0) {
      note({ ...common, passes: false, exit: code, reason: message });
      continue;
    }
    const tolerance = Math.max(layers, 2 * (about.noise ?? 0));
    const { worst, reason } = await compared(job.output, join(folder, `${name}.safetensors`));
    const passes = worst !== undefined && worst !== null && worst <= tolerance;
    if (passes && process.env.UNTIMED) note({ ...common, passes, worst, seconds, peak });
    else if (passes) note({ ...common, passes, worst, ...(await measure(job)) });
    else note({ ...common, passes, worst, reason: reason ?? `the outputs differ by ${worst}` });
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
if (first === "--alone") console.log(await convertAlone(...rest));
else if (first === "--compare") console.log(JSON.stringify(await compare(rest[0], rest[1])));
else if (first === "--table") {
  const { networksTable } = await import("./networks-table.mjs");
  writeFileSync(
    join(root, "docs/torchscript-networks.md"),
    networksTable([...readResults(rest[0]).values()]),
  );
} else if (first !== undefined) await testNetworks(first, rest);
else console.error("usage: node scripts/test-networks.mjs FOLDER [PATTERN...]");
