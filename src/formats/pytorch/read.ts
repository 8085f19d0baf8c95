import type { FormatReader } from "../../core/format.ts";
import { readBytes } from "../../core/source.ts";
import { isDistributed, isLegacy, isPickle, isTar } from "./signatures.ts";

/** Reads whatever `torch.save` has written in any release: a zip, a legacy stream or a tar; and PyTorch's other archives. */
export const reader: FormatReader = {
  async read(source, folder, context) {
    const head = await readBytes(source, 0, Math.min(source.size, 4096), context);
    if (isDistributed(head))
      return (await import("./read-distributed.ts")).readDistributed(source, folder, context);
    if (isLegacy(head)) return (await import("./read-legacy.ts")).readLegacy(source, context);
    if (isTar(head)) return (await import("./read-tar.ts")).readTar(source, context);
    if (isPickle(head)) return (await import("./read-pickle.ts")).readBarePickle(source, context);
    return (await import("./read-zip.ts")).readZip(source, context);
  },
};
