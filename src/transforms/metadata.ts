import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";

/** Sets metadata keys; one that was there is replaced, with a notice. Throws kind `usage` for `format`, which is always `pt`. */
export function setMetadata(entries: ReadonlyMap<string, string>, context: RunContext) {
  return (dict: TensorDict): TensorDict => {
    const metadata = new Map(dict.metadata);
    for (const [key, value] of entries) {
      if (key === "format" && value !== "pt") {
        throw new ConvertError("usage", 'the metadata key "format" is always "pt"', {
          hint: "loaders refuse files without it; choose another key",
        });
      }
      const before = metadata.get(key);
      if (before !== undefined && before !== value) {
        context.warn({
          code: "metadata-replaced",
          message: `metadata "${key}" was ${JSON.stringify(before)} and is replaced`,
        });
      }
      metadata.set(key, value);
    }
    return { ...dict, metadata };
  };
}
