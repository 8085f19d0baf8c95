import type { ConvertOptions, ConvertResult } from "../../src/convert/conversion.ts";
import { planConversion } from "../../src/convert/convert.ts";
import type { ModelInput } from "../../src/convert/open/open.ts";
import type { OutputFolder } from "../../src/core/sink.ts";
import { bytesSource } from "../../src/core/source.ts";
import { builtinFormats } from "../../src/formats/index.ts";

/** A file in memory as the input of a conversion. */
export function memoryInput(name: string, bytes: Uint8Array): ModelInput {
  return {
    name,
    folder: {
      open: async (wanted) => (wanted === name ? bytesSource(name, bytes) : undefined),
      close: async () => undefined,
    },
  };
}

/** An output folder in memory; `files` has what was committed. */
export function memoryOutput(): OutputFolder & { readonly files: ReadonlyMap<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    inOrder: false,
    pathOf: (name) => name,
    prepare: async () => undefined,
    async create(name, size) {
      const bytes = new Uint8Array(size);
      return {
        name,
        writeAt: async (chunk, position) => bytes.set(chunk, position),
        finish: async () => undefined,
        commit: async () => void files.set(name, bytes),
        discard: async () => void files.delete(name),
      };
    },
    settle: async () => undefined,
    abandon: async () => undefined,
  };
}

/** Converts bytes to one safetensors file, all in memory. */
export async function convertBytes(
  name: string,
  bytes: Uint8Array,
  options: ConvertOptions = {},
): Promise<{ result: ConvertResult; files: ReadonlyMap<string, Uint8Array> }> {
  const output = memoryOutput();
  const planned = await planConversion(
    memoryInput(name, bytes),
    { folder: output, name: "out.safetensors" },
    builtinFormats,
    // The usual buffers would take longer to make than these small files to convert.
    { bufferBytes: 65_536, ...options },
  );
  return { result: await planned.run(), files: output.files };
}
