import type { PickleContext } from "../../containers/pickle/read.ts";
import type { Checkpoint } from "../../core/dict.ts";
import type { FormatReader } from "../../core/format.ts";
import type { InputFolder } from "../../core/sink.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { createTorchGlobals } from "./scan/nested-pickles.ts";
import { judge } from "./scan/verdicts.ts";
import { isDistributed, isFlatBuffer, isLegacy, isPickle, isTar } from "./signatures.ts";

/** Reads whatever `torch.save` has written in any release: a zip, a legacy stream or a tar; and PyTorch's other archives. */
export const reader: FormatReader = {
  async read(source, folder, context) {
    const globals = createTorchGlobals(context.limits);
    try {
      return await readAny(source, folder, { ...context, globals });
    } finally {
      // A dangerous pickle is worth more words than what else is wrong with it.
      if (globals.known.size > 0) context.review?.(judge(globals, { isScript: true }), source.name);
    }
  },
};

async function readAny(source: ByteSource, folder: InputFolder, context: PickleContext): Promise<Checkpoint> {
  const head = await readBytes(source, 0, Math.min(source.size, 4096), context);
  if (isDistributed(head))
    return (await import("./distributed/read-distributed.ts")).readDistributed(source, folder, context);
  if (isFlatBuffer(head))
    return (await import("./torchscript/read-flatbuffer.ts")).readFlatBuffer(source, context);
  if (isLegacy(head)) return (await import("./legacy/read-legacy.ts")).readLegacy(source, context);
  if (isTar(head)) return (await import("./legacy/read-tar.ts")).readTar(source, context);
  if (isPickle(head)) return (await import("./legacy/read-pickle.ts")).readBarePickle(source, context);
  return (await import("./read-zip.ts")).readZip(source, folder, context);
}
