import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConvertError } from "../core/errors.ts";
import { systemError } from "../node/system-errors.ts";
import { type Config, checkConfig } from "./config.ts";

/** The names that are looked for, the first first. */
const configNames = ["ts", "mts", "js", "mjs", "json"].map((extension) => `tensorferry.config.${extension}`);

/** A configuration with the path that it was read from. */
export interface LoadedConfig {
  readonly path: string;
  readonly config: Config;
}

/**
 * Reads the configuration at a path, or the one in a folder. A `.ts` or `.js` file is run as any module is. Throws kind `usage`
 * where there is none, where it is not right, or where TypeScript cannot be run.
 */
export async function loadConfig(path = "."): Promise<LoadedConfig> {
  const file = findConfig(resolve(path));
  const value = file.endsWith(".json") ? readJson(file) : await runModule(file);
  return { path: file, config: checkConfig(value, file) };
}

function findConfig(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile()) return path;
  const found = configNames.map((name) => join(path, name)).find((name) => existsSync(name));
  if (found !== undefined) return found;
  throw new ConvertError("usage", "there is no configuration", {
    file: path,
    hint: `expected ${configNames.join(", ")}`,
  });
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw systemError("io", file, error);
    throw new ConvertError("usage", `it is no JSON: ${error.message}`, { file, cause: error });
  }
}

/** Node runs TypeScript by itself from 22.18 on; before that, jiti does where it is installed. */
async function runModule(file: string): Promise<unknown> {
  const isTypeScript = /\.m?ts$/.test(file);
  const module = isTypeScript && !nodeRunsTypeScript() ? await runWithJiti(file) : await runNatively(file);
  const value = (module as { readonly default?: unknown }).default;
  if (value !== undefined) return value;
  throw new ConvertError("usage", "the configuration has no default export", { file });
}

function nodeRunsTypeScript(): boolean {
  return Boolean((process.features as { readonly typescript?: string | false }).typescript);
}

/** A file that has changed since it was imported is imported anew. */
async function runNatively(file: string): Promise<unknown> {
  return import(`${pathToFileURL(file).href}?changed=${statSync(file).mtimeMs}`);
}

async function runWithJiti(file: string): Promise<unknown> {
  const jiti = await import("jiti").catch((cause: unknown) => {
    throw new ConvertError("usage", "this Node cannot run TypeScript by itself", {
      file,
      hint: "npm install --save-dev jiti, or use Node 22.18, or write tensorferry.config.js",
      cause,
    });
  });
  return jiti.createJiti(import.meta.url, { moduleCache: false, fsCache: false }).import(file);
}
