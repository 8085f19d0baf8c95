// The main job on a real checkpoint: a PyTorch file becomes sharded safetensors, checked tensor by tensor.
//   npm run demo
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import picocolors from "picocolors";

const root = fileURLToPath(new URL("..", import.meta.url));
const checkpoint = "fixtures/pytorch/torch-1.13/network.pth";
const output = ".demo/";
const pc = picocolors.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR && !process.env.CI);

/** Runs one command of the built command line in the checkout; ends the demo where it fails. */
function tensorferry(...words) {
  console.log(`\n${pc.bold(`$ tensorferry ${words.join(" ")}`)}`);
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    ["dist/bin/tensorferry.js", ...words],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  if (stderr) process.stderr.write(stderr);
  if (status === 0) return stdout;
  console.error(`the demo failed: tensorferry ended with ${error?.message ?? `exit code ${status}`}`);
  process.exit(1);
}

/** The first lines of a long output, and its last two. */
function excerpt(text, shownLines) {
  const lines = text.trimEnd().split("\n");
  const left = lines.length - shownLines - 2;
  if (left <= 0) return lines.join("\n");
  return [...lines.slice(0, shownLines), pc.dim(`… ${left} more`), ...lines.slice(-2)].join("\n");
}

rmSync(`${root}/${output}`, { recursive: true, force: true });

console.log("A network that torch.save wrote:");
console.log(excerpt(tensorferry("inspect", checkpoint), 7));
console.log("\nBecomes safetensors, in shards of at most 1 MB:");
console.log(tensorferry("convert", checkpoint, output, "--max-shard-size", "1MB", "--verify").trimEnd());
console.log(pc.dim("--verify has read the shards back and compared every tensor with the checkpoint."));
console.log(excerpt(tensorferry("inspect", output), 4));

console.log(`\n${pc.green("done")}: the model is in ${output}`);
