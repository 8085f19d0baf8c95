import { Command } from "commander";
import { addCompletion } from "./commands/completion.ts";
import { addConvert } from "./commands/convert.ts";
import { addDiff } from "./commands/diff.ts";
import { addEdit } from "./commands/edit.ts";
import { addFormats } from "./commands/formats.ts";
import { addInspect } from "./commands/inspect.ts";
import { addRun } from "./commands/run.ts";
import { addScan } from "./commands/scan.ts";
import type { Session } from "./commands/session.ts";
import { addUpload } from "./commands/upload.ts";
import { addVerify } from "./commands/verify.ts";

/** In the order in which help lists them. */
const commands = [
  addConvert,
  addInspect,
  addDiff,
  addVerify,
  addEdit,
  addRun,
  addScan,
  addUpload,
  addFormats,
  addCompletion,
];

/** The commands with their options and help. Each loads its own code when it runs. */
export function buildProgram(version: string, session: Session): Command {
  const { console } = session;
  const program = new Command("tensorferry")
    .description(
      "Ferries neural-network weights between PyTorch files, safetensors and ONNX. Streams; runs no pickle.",
    )
    .version(version, "--version", "print the version")
    .helpOption("--help", "show help")
    .configureOutput({ writeOut: console.out, writeErr: console.err })
    .showHelpAfterError("(tensorferry --help lists the commands)")
    .exitOverride();
  for (const add of commands) add(program, session);
  return program;
}
