import type { Command } from "commander";
import type { ConvertFlags } from "../convert-options.ts";
import { collect } from "../options.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry convert model.pth out/                        model.safetensors, or shards of 5 GB with their index
  tensorferry convert model.pth model.safetensors           one file
  tensorferry convert model.pth out/ --max-shard-size 2GB   smaller shards
  tensorferry convert model.pth model.onnx                  the weights as ONNX
  tensorferry convert run.ckpt out/ --select ema            another state dict of a checkpoint
  tensorferry convert vae.pth unet.pth all.safetensors      several inputs into one output
  tensorferry convert model.pth out/ --include 'encoder.*' --strip-prefix encoder.
  tensorferry convert model.pth out/ --rename '/^h\\.(\\d+)/=>layers.$1'
  tensorferry convert net.onnx net.pth                      weights of a graph under PyTorch's names
  tensorferry convert new.pth new.onnx --template net.onnx  new weights in an old graph
  tensorferry convert model.pth out/ --dry-run              what would be written
`;

/** Adds `convert`: one model out of one or several. */
export function addConvert(program: Command, { console, signal }: Session): void {
  const command = program
    .command("convert")
    .description("convert a checkpoint; formats are known by content, and by the output's extension")
    .argument("<input>", "file, folder, index or address; several become one output")
    .argument("<output...>", "file, or a folder if it ends in / or exists")
    .usage("<input...> <output> [options]");
  for (const add of [addFiles, addChoice, addOnnx, addTorchScript, addRunning]) add(command);
  command
    .addHelpText("after", examples)
    .action(async (first: string, others: readonly string[], flags: ConvertFlags) => {
      const { convertCommand } = await import("../convert.ts");
      const inputs = [first, ...others.slice(0, -1)];
      await convertCommand(inputs, others.at(-1) as string, flags, console, signal);
    });
}

function addFiles(command: Command): void {
  command
    .optionsGroup("Input and output:")
    .option("--from <format>", "read the input as this format")
    .option("--to <format>", "write this format, whatever the extension says")
    .option(
      "--max-shard-size <size>",
      "500MB, 4GiB, bytes or none (default: 5GB into a folder, none into a file)",
    )
    .option("--variant <word>", "into a folder: model.<word>.safetensors, as loaders take with variant=")
    .option("--no-carry", "leave configuration and tokenizer files of the input folder behind")
    .option("--hub", "into a folder: also a model card and .gitattributes, where they are missing")
    .option("--metadata <key=value>", "add to the output's metadata, repeatable", collect)
    .option("--checksums", "add SHA256SUMS, hashed while writing")
    .option("--force", "replace what is there already")
    .option("--dry-run", "print the plan and write nothing")
    .option("--resume", "go on where an equal conversion was interrupted")
    .option("--verify", "read the output back and compare it with the input");
}

function addChoice(command: Command): void {
  command
    .optionsGroup("What is taken, under which names and dtypes:")
    .option("--select <path>", "which state dict of a checkpoint, e.g. model_state_dict; . is the top")
    .option("--all", "the whole checkpoint, restored when converted back to a .pth")
    .option("--include <pattern>", "take only these names: a glob or /regex/, repeatable", collect)
    .option("--exclude <pattern>", "leave out these names, repeatable", collect)
    .option("--strip-prefix <prefix>", "take it off the names that start with it")
    .option("--map <file>", "new names from JSON or YAML: old to new")
    .option("--rename <from=>to>", "a name or /regex/, with $1 for its groups; repeatable, in order", collect)
    .option("--add-prefix <prefix>", "put it before every name")
    .option("--input-prefix <prefix>", "put it before the names of an input; one for each, in order", collect)
    .option("--duplicates <how>", "error, first or last: a name in several inputs (default: error)")
    .option("--tied <how>", "drop or copy: names that share all their bytes (default: drop)")
    .option("--keep <name>", "which name of a tied group stays, repeatable", collect)
    .option(
      "--dtype <[glob=]dtype>",
      "cast floating tensors, e.g. f16 or 'lm_head.*=f32'; repeatable",
      collect,
    );
}

function addOnnx(command: Command): void {
  command
    .optionsGroup("ONNX:")
    .option(
      "--names <whose>",
      "pytorch or onnx: names and layouts of a graph's weights (default: by its maker)",
    )
    .option("--reference <file>", "a checkpoint whose names and shapes guide --names pytorch")
    .option("--fused <how>", "product or equivalent: convolutions that took in a norm (default: product)")
    .option("--bn-eps <e>", "ε of such norms, which the graph does not say (default: 1e-5)")
    .option("--template <file.onnx>", "put the weights into a copy of this graph")
    .option(
      "--external-data <when>",
      "weights beside an .onnx: auto, always, never; or in a safetensors or pytorch file (default: auto, beyond 2 GB)",
    );
}

function addTorchScript(command: Command): void {
  command
    .optionsGroup("TorchScript to ONNX:")
    .option("--input <name=dims:dtype>", "x=1,3,224,224:f32, ids=N:8,128:i64; repeatable", collect)
    .option("--inputs <file>", "the same for all inputs, as JSON")
    .option("--arg <name=value>", "value of a parameter that is no tensor, repeatable", collect)
    .option("--method <name>", "another entry than forward")
    .option("--opset <n>", "version of the operators (default: 18)");
}

function addRunning(command: Command): void {
  command
    .optionsGroup("Running:")
    .option("--strict", "fail where there would be a note")
    .option(
      "--allow <word>",
      "go on in spite of: unsafe-pickle, densify, lossy-cast, partial-swap; repeatable",
      collect,
    )
    .option("--jobs <n>", "transfers at once (default: 3)")
    .option("--buffer <size>", "buffer of one transfer (default: 8MiB)")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line");
}
