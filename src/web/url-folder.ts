import { ConvertError } from "../core/errors.ts";
import type { InputFolder } from "../core/sink.ts";
import type { ByteSource } from "../core/source.ts";
import { withBlockCache } from "./block-cache.ts";
import type { Network } from "./network.ts";
import { openUrl } from "./url-source.ts";

/** Files on servers as a folder. `urlOf` gives the address of a name or a path with slashes, `undefined` where it is known that there is none. */
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

  async function openOnce(path: string): Promise<ByteSource | undefined> {
    const url = urlOf(path);
    if (url === undefined) return undefined;
    const source = opened.get(path) ?? openFile(url);
    opened.set(path, source);
    return source;
  }

  return {
    async open(name) {
      if (!isBare(name)) throw new ConvertError("unsafe", `${JSON.stringify(name)} is no bare file name`);
      return openOnce(name);
    },
    // A server has no links that we could see: what it has below an address is there for everybody.
    async openBelow(path) {
      if (!path.split("/").every(isBare))
        throw new ConvertError("unsafe", `${JSON.stringify(path)} is no path within the folder`);
      return openOnce(path);
    },
    async close() {
      opened.clear();
    },
  };
}

function isBare(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\?#]/.test(name);
}
