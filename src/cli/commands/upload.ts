import type { Command } from "commander";
import { collect } from "../options.ts";
import type { UploadFlags } from "../upload.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry upload out/ owner/name                        a folder as it is
  tensorferry upload model.pth owner/name --to safetensors  converted while it is sent
  tensorferry upload hf://owner/name owner/name --to safetensors --pr
                                                            safetensors beside the pickles of a repository
`;

/** Adds `upload`: to the Hugging Face Hub. */
export function addUpload(program: Command, { console, signal }: Session): void {
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
    .addHelpText("after", examples)
    .action(async (path: string, repository: string, flags: UploadFlags) => {
      const { uploadCommand } = await import("../upload.ts");
      await uploadCommand(path, repository, flags, console, signal);
    });
}
