import { ConvertError } from "../core/errors.ts";
import type { InputFolder } from "../core/sink.ts";
import type { ByteSource } from "../core/source.ts";
import { withBlockCache } from "./block-cache.ts";
import type { Network } from "./network.ts";
import { openUrl } from "./url-source.ts";

/** Files on servers as a folder. `urlOf` gives the address of a bare name, `undefined` where it is known that there is none. */
export function urlFolder(
  urlOf: (name: string) => URL | undefined,
  network: Network,
  signal: AbortSignal | undefined,
): InputFolder {
  const opened = new Map<string, Promise<ByteSource | undefined>>();

  async function openFile(url: URL): Promise<ByteSource | undefined> {
    const source = await openUrl(url, network, { signal });
    return source && withBlockCache(source);
  }

  return {
    async open(name) {
      if (name === "" || name === "." || name === ".." || /[/\\?#]/.test(name)) {
        throw new ConvertError("unsafe", `${JSON.stringify(name)} is no bare file name`);
      }
      const url = urlOf(name);
      if (url === undefined) return undefined;
      const source = opened.get(name) ?? openFile(url);
      opened.set(name, source);
      return source;
    },
    async close() {
      opened.clear();
    },
  };
}
