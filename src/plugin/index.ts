import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { createUnplugin, type UnpluginInstance } from "unplugin";
import type { ConvertPathOptions } from "../paths/convert-paths.ts";
import { convertAsset } from "./convert-asset.ts";
import { parseRequest } from "./request.ts";

/** What the plugin may be told. */
export interface PluginOptions {
  /** Which files are models, by their path; by default `.pth`, `.pt` and `.ckpt`. */
  readonly files?: RegExp | undefined;
  /** How they are converted where an import says nothing else. */
  readonly convert?: ConvertPathOptions | undefined;
  /** Folder with the `node_modules` in which conversions are kept; by default where the build runs. */
  readonly root?: string | undefined;
}

/** Turns an imported model into a safetensors file among the assets; the import gives its address. */
export const unplugin: UnpluginInstance<PluginOptions | undefined, false> = createUnplugin(
  (options, { framework }) => {
    const { files = /\.(pth|pt|ckpt)$/, convert = {}, root = process.cwd() } = options ?? {};
    let isServing = false;
    let servedRoot = root;
    const isModel = (id: string) => files.test(id.replace(/\?.*$/s, ""));
    return {
      name: "tensorferry",
      enforce: "pre",
      vite: {
        configResolved(config) {
          isServing = config.command === "serve";
          servedRoot = config.root;
        },
      },
      resolveId(id, importer) {
        // webpack finds files by itself, with their query; the others take the query for a part of the name.
        if (framework === "webpack" || framework === "rspack" || !isModel(id)) return null;
        if (id.startsWith(".")) return resolve(importer === undefined ? root : dirname(importer), id);
        return locate(id, [servedRoot, root]);
      },
      loadInclude: isModel,
      async load(id) {
        const request = parseRequest(id, convert);
        this.addWatchFile(request.file);
        const asset = await convertAsset(request, root);
        if (framework === "webpack" || framework === "rspack") {
          // Its own assets do the rest: a name with a hash, and the address that the page is served from.
          return `export default new URL(${JSON.stringify(asset)}, import.meta.url).href;`;
        }
        if (isServing) return `export default ${JSON.stringify(`/@fs${asset}`)};`;
        // The type of the common context lacks what Rollup's returns.
        const emit = this.emitFile as unknown as (file: object) => string;
        const reference = emit.call(this, {
          type: "asset",
          name: basename(asset),
          source: readFileSync(asset),
        });
        return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
      },
    };
  },
);

/** The plugin for Vite. */
export const vite = unplugin.vite;
/** The plugin for Rollup. */
export const rollup = unplugin.rollup;
/** The plugin for webpack. */
export const webpack = unplugin.webpack;

/** A path from the root of the disk or, as a browser asks for it, from that of the pages. */
function locate(id: string, roots: readonly string[]): string | null {
  const path = id.replace(/^\/@fs(?=\/)/, "");
  if (!isAbsolute(path)) return null;
  const candidates = [path, ...roots.map((root) => join(root, path))];
  return candidates.find((candidate) => existsSync(candidate.replace(/\?.*$/s, ""))) ?? null;
}
