import type { InputFolder } from "../../src/core/sink.ts";
import { bytesSource } from "../../src/core/source.ts";

/** Files in memory, by name, as the folder of an input. */
export function memoryFolder(files: Readonly<Record<string, Uint8Array>>): InputFolder {
  const byName = new Map(Object.entries(files));
  return {
    async open(name) {
      const bytes = byName.get(name);
      return bytes && bytesSource(name, bytes);
    },
    close: async () => undefined,
  };
}
