import type { ContextOptions, Notice, RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format } from "../core/format.ts";
import type { ConvertOptions } from "./conversion.ts";

/** Keeps every notice, and passes it on. */
export function collectNotices(
  notices: Notice[],
  onNotice: ContextOptions["onNotice"],
): (notice: Notice) => void {
  return (notice) => {
    notices.push(notice);
    onNotice?.(notice);
  };
}

/** Tells of metadata that the output has no room for. */
export function warnOfMetadata({ metadata }: TensorDict, format: Format, context: RunContext): void {
  const keys = [...metadata.keys()].filter((key) => key !== "format" && !key.startsWith("tensorferry."));
  if (format.holdsMetadata || keys.length === 0) return;
  context.warn({
    code: "metadata-dropped",
    message: `${format.title} has no room for metadata: ${keys.join(", ")}`,
  });
}

/** Tells what in the input is no tensor of the state dict. */
export function warnOfLeftovers({ leftovers }: TensorDict, context: RunContext): void {
  if (leftovers.length === 0) return;
  const shown = leftovers.slice(0, 8).map(({ name, what }) => `"${name}" (${what})`);
  const rest = leftovers.length > shown.length ? ` and ${leftovers.length - shown.length} more` : "";
  context.warn({
    code: "left-behind",
    message: `left behind, being no tensors of the state dict: ${shown.join(", ")}${rest}`,
  });
}

/** Throws kind `lossy` where there is a notice and the caller wants none. */
export function refuseNotices([first]: readonly Notice[], { strict }: ConvertOptions): void {
  if (!strict || first === undefined) return;
  throw new ConvertError("lossy", first.message, {
    tensor: first.tensor,
    hint: "without --strict this is a notice",
  });
}
