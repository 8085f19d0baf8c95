import { Argument, Command } from "commander";
import type { Shell } from "./completion.ts";
import type { Console } from "./console.ts";
import type { ConvertFlags } from "./convert.ts";
import type { InspectFlags } from "./inspect.ts";
import type { JobFlags } from "./jobs.ts";
import { addModelCommands } from "./model-commands.ts";
import { collect } from "./options.ts";
import type { ScanFlags } from "./scan.ts";
import type { UploadFlags } from "./upload.ts";

const convertExamples = `
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

const inspectExamples = `
Examples:
  tensorferry inspect model.pth
  tensorferry inspect out/                                  the model in a folder
  tensorferry inspect hf://owner/name                       on the Hub, without downloading it
  tensorferry inspect model.pth --tree                      modules, repeated ones folded
  tensorferry inspect model.pth --tensor lm_head.weight     its values in short
  tensorferry inspect model.pth --json | jq '.tensors[].name'
`;

const uploadExamples = `
Examples:
  tensorferry upload out/ owner/name                        a folder as it is
  tensorferry upload model.pth owner/name --to safetensors  converted while it is sent
  tensorferry upload hf://owner/name owner/name --to safetensors --pr
                                                            safetensors beside the pickles of a repository
`;

const runExamples = `
Examples:
  tensorferry run                                           all jobs of tensorferry.config.{ts,js,json}
  tensorferry run encoder decoder --force                   two of them, replacing what is there
  tensorferry run --list
`;

const scanExamples = `
Examples:
  tensorferry scan model.pth
  tensorferry scan downloads/                               every file in a folder and below
  tensorferry scan hf://owner/name                          before downloading it
  tensorferry scan model.pth --strict && python load.py     load only what is known to be harmless
  tensorferry scan model.pth --json | jq '.globals[] | select(.verdict != "clean")'

Exit codes: 0 clean or unknown, 6 dangerous (with --strict also unknown), others where a part cannot be read.
`;

const completionExamples = `
Examples:
  source <(tensorferry completion bash)                     this session of Bash; zsh likewise
  tensorferry completion fish > ~/.config/fish/completions/tensorferry.fish
`;

/** The commands with their options and help. Each loads its own code when it runs; `finish` takes the exit code of one that does not end with 0. */
export function buildProgram(
  version: string,
  console: Console,
  signal: AbortSignal,
  finish: (exit: number) => void,
): Command {
  const program = new Command("tensorferry")
    .description(
      "Ferries neural-network weights between PyTorch files, safetensors and ONNX. Streams; runs no pickle.",
    )
    .version(version, "--version", "print the version")
    .helpOption("--help", "show help")
    .configureOutput({ writeOut: console.out, writeErr: console.err })
    .showHelpAfterError("(tensorferry --help lists the commands)")
    .exitOverride();

  program
    .command("convert")
    .description("convert a checkpoint; formats are known by content, and by the output's extension")
    .argument("<input>", "file, folder, index or address; several become one output")
    .argument("<output...>", "file, or a folder if it ends in / or exists")
    .usage("<input...> <output> [options]")
    .option("--from <format>", "read the input as this format")
    .option("--to <format>", "write this format, whatever the extension says")
    .option(
      "--max-shard-size <size>",
      "500MB, 4GiB, bytes or none (default: 5GB into a folder, none into a file)",
    )
    .option(
      "--external-data <when>",
      "weights beside an .onnx: auto, always, never; or in a safetensors or pytorch file (default: auto, beyond 2 GB)",
    )
    .option("--variant <word>", "into a folder: model.<word>.safetensors, as loaders take with variant=")
    .option("--no-carry", "leave configuration and tokenizer files of the input folder behind")
    .option("--hub", "into a folder: also a model card and .gitattributes, where they are missing")
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
    .option(
      "--dtype <[glob=]dtype>",
      "cast floating tensors, e.g. f16 or 'lm_head.*=f32'; repeatable",
      collect,
    )
    .option(
      "--names <whose>",
      "pytorch or onnx: names and layouts of a graph's weights (default: by its maker)",
    )
    .option("--reference <file>", "a checkpoint whose names and shapes guide --names pytorch")
    .option("--fused <how>", "product or equivalent: convolutions that took in a norm (default: product)")
    .option("--bn-eps <e>", "ε of such norms, which the graph does not say (default: 1e-5)")
    .option("--template <file.onnx>", "put the weights into a copy of this graph")
    .option("--tied <how>", "drop or copy: names that share all their bytes (default: drop)")
    .option("--keep <name>", "which name of a tied group stays, repeatable", collect)
    .option("--metadata <key=value>", "add to the output's metadata, repeatable", collect)
    .option(
      "--input <name=dims:dtype>",
      "TorchScript to ONNX: x=1,3,224,224:f32, ids=N:8,128:i64; repeatable",
      collect,
    )
    .option("--inputs <file>", "the same for all inputs, as JSON")
    .option(
      "--arg <name=value>",
      "TorchScript to ONNX: value of a parameter that is no tensor, repeatable",
      collect,
    )
    .option("--method <name>", "TorchScript to ONNX: another entry than forward")
    .option("--opset <n>", "TorchScript to ONNX: version of the operators (default: 18)")
    .option("--verify", "read the output back and compare it with the input")
    .option("--checksums", "add SHA256SUMS, hashed while writing")
    .option("--resume", "go on where an equal conversion was interrupted")
    .option("--strict", "fail where there would be a note")
    .option(
      "--allow <word>",
      "go on in spite of: unsafe-pickle, densify, lossy-cast, partial-swap; repeatable",
      collect,
    )
    .option("--force", "replace what is there already")
    .option("--dry-run", "print the plan and write nothing")
    .option("--jobs <n>", "transfers at once (default: 3)")
    .option("--buffer <size>", "buffer of one transfer (default: 8MiB)")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line")
    .addHelpText("after", convertExamples)
    .action(async (first: string, others: readonly string[], flags: ConvertFlags) => {
      const { convertCommand } = await import("./convert.ts");
      const inputs = [first, ...others.slice(0, -1)];
      await convertCommand(inputs, others.at(-1) as string, flags, console, signal);
    });

  program
    .command("inspect")
    .description("list names, dtypes, shapes and sizes, from headers alone; or what is in a tensor")
    .argument("<input>", "file, folder, index or address")
    .option("--from <format>", "read the input as this format")
    .option("--select <path>", "which state dict of a checkpoint")
    .option("--tensor <name>", "what is inside one tensor: extremes, mean, NaN, first values, histogram")
    .option(
      "--tree",
      "modules with their sizes, repeated ones folded (default on a terminal beyond 40 tensors)",
    )
    .option("--flat", "a line for each tensor, in the order of the file")
    .option("--names <whose>", "pytorch or onnx: names and layouts of a graph's weights")
    .option("--reference <file>", "a checkpoint whose names and shapes guide --names pytorch")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "no notes")
    .addHelpText("after", inspectExamples)
    .action(async (input: string, flags: InspectFlags) => {
      const { inspectCommand } = await import("./inspect.ts");
      await inspectCommand(input, flags, console, signal);
    });

  addModelCommands(program, console, signal, finish);

  program
    .command("run")
    .description("run conversions that a tensorferry.config.{ts,js,json} describes")
    .argument("[jobs...]", "which; all by default")
    .option("--config <path>", "the configuration, or its folder (default: here)")
    .option("--list", "list the jobs and run none")
    .option("--force", "replace what is there already")
    .option("--dry-run", "print the plans and write nothing")
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line")
    .addHelpText("after", runExamples)
    .action(async (names: readonly string[], flags: JobFlags) => {
      const { jobsCommand } = await import("./jobs.ts");
      await jobsCommand(names, flags, console, signal);
    });

  program
    .command("scan")
    .description("list what loading a pickle would run, and how bad that is; runs nothing")
    .argument("<input>", "file, folder or index")
    .option("--strict", "fail unless all of it is known to be harmless")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "the last line only")
    .addHelpText("after", scanExamples)
    .action(async (input: string, flags: ScanFlags) => {
      const { scanCommand } = await import("./scan.ts");
      finish(await scanCommand(input, flags, console, signal));
    });

  program
    .command("upload")
    .description("send a file or folder to the Hugging Face Hub, converted on the way if wanted")
    .argument("<path>", "file or folder; with --to also an address")
    .argument("<repository>", "owner/name")
    .option("--to <format>", "convert to this format while sending, without a copy on disk")
    .option("--select <path>", "which state dict of a checkpoint, with --to")
    .option("--max-shard-size <size>", "with --to: 500MB, 4GiB, bytes or none (default: 5GB)")
    .option("--branch <name>", "branch to commit to, made if it is missing (default: main)")
    .option("--pr", "open a pull request instead of committing")
    .option("--private", "make the repository private if it has to be made")
    .option("--message <text>", "message of the commit, title of the pull request")
    .option("--folder <path>", "folder of the repository that the files go to")
    .option("--token-stdin", "read the token from standard input instead of HF_TOKEN or the token file")
    .option("--allow <word>", "with --to, as for convert; repeatable", collect)
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--dry-run", "list what would be sent")
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line")
    .addHelpText("after", uploadExamples)
    .action(async (path: string, repository: string, flags: UploadFlags) => {
      const { uploadCommand } = await import("./upload.ts");
      await uploadCommand(path, repository, flags, console, signal);
    });

  program
    .command("formats")
    .description("list what is read and written, with which dtypes")
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "accepted for uniformity; there is nothing to leave out")
    .action(async (flags: { readonly json?: boolean }) => {
      const { formatsCommand } = await import("./formats.ts");
      formatsCommand(flags, console);
    });

  program
    .command("completion")
    .description("print the script that completes these words in a shell")
    .addArgument(new Argument("<shell>", "the shell it is for").choices(["bash", "zsh", "fish"]))
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "accepted for uniformity; there is nothing to leave out")
    .addHelpText("after", completionExamples)
    .action(async (shell: Shell, flags: { readonly json?: boolean }) => {
      const { completionCommand } = await import("./completion-command.ts");
      completionCommand(shell, flags, program, console);
    });

  return program;
}
