// Converts a file as the command line does, and kills itself without warning at a given step.
//   node killed-conversion.mjs INPUT OUTPUT STEP [resume]
import { createHash } from "node:crypto";
import { builtinFormats, outputFolder, planConversion, resolveInput } from "../../dist/node.js";

const [from, to, step, resume] = process.argv.slice(2);
let left = Number(step);

function count() {
  if (left-- === 0) process.kill(process.pid, "SIGKILL");
}

/** The sink, counting each call before and after. */
function counting(sink) {
  const counted =
    (name) =>
    async (...words) => {
      count();
      await sink[name](...words);
      count();
    };
  return Object.assign(Object.create(sink), {
    start: sink.start,
    writeAt: counted("writeAt"),
    finish: counted("finish"),
    commit: counted("commit"),
  });
}

const inner = outputFolder(to, false, 0);
const folder = Object.assign(Object.create(inner), {
  async create(...words) {
    count();
    return counting(await inner.create(...words));
  },
  async settle() {
    count();
    await inner.settle();
    count();
  },
});
const sha256 = () => {
  const hash = createHash("sha256");
  return { update: (bytes) => hash.update(bytes), digest: () => hash.digest("hex") };
};
const options = {
  ...{ sha256, maxShardBytes: 300_000, bufferBytes: 16_384, checksums: true },
  resume: resume === "resume",
};
const conversion = await planConversion(await resolveInput(from), { folder }, builtinFormats, options);
const { resumed } = await conversion.run();
process.stdout.write(`${JSON.stringify({ resumed, steps: Number(step) - left })}\n`);
