import { execFile } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { builtCli, type Ended } from "./built-cli.ts";
import { samples } from "./command.ts";
import { fixtures, temporaryFolder } from "./files.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The files that the examples of the documentation speak of. */
const inputs: Readonly<Record<string, string>> = {
  "model.pth": samples.network,
  "training.pth": samples.checkpoint,
  "run.ckpt": join(fixtures, "pytorch/torch-2.13/checkpoint-ema.pth"),
  "gan.pth": samples.twoModels,
  "tied.pth": samples.tied,
  "network.onnx": join(fixtures, "onnx/exports/torch-2.13/conv.onnx"),
  "vit.onnx": join(fixtures, "onnx-names/torch-2.13/vit.onnx"),
  "vit-other.pth": join(fixtures, "onnx-names/torch-2.13/vit.pth"),
  "cnn.onnx": join(fixtures, "onnx-names/torch-1.13/cnn.onnx"),
  "cnn-other.pth": join(fixtures, "onnx-names/torch-1.13/cnn.pth"),
  "traced.pt": join(fixtures, "torchscript/networks/traced-1.13.pt"),
  "bert.pt": join(fixtures, "torchscript/transformers/bert_sdpa-2.13-traced.pt"),
  downloaded: samples.shards,
};

/** A folder with those files, in which `tensorferry` is a command and a package, as if installed. */
export function exampleFolder(): string {
  const folder = temporaryFolder();
  for (const [name, from] of Object.entries(inputs)) cpSync(from, join(folder, name), { recursive: true });
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/tensorferry"));
  symlinkSync(join(root, "node_modules/@types"), join(folder, "node_modules/@types"));
  symlinkSync(builtCli, join(folder, "node_modules/.bin/tensorferry"));
  return folder;
}

/** Runs a line of a shell in such a folder. */
export function shell(line: string, cwd: string): Promise<Ended> {
  const env = { ...process.env, PATH: `${join(cwd, "node_modules/.bin")}:${process.env["PATH"]}` };
  return new Promise((resolve) => {
    execFile("sh", ["-c", line], { cwd, env }, (error, out, err) => {
      resolve({ exit: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    });
  });
}
