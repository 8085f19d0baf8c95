import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the Hub is and who we are there. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
}

/** From the same variables and the same file as the Hub's own tools: `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HOME`. */
export function hubSettings(environment: NodeJS.ProcessEnv = process.env): HubSettings {
  const endpoint = (environment["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, "");
  return { endpoint, token: environment["HF_TOKEN"]?.trim() || tokenFile(environment) };
}

function tokenFile(environment: NodeJS.ProcessEnv): string | undefined {
  const cache = environment["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const home = environment["HF_HOME"] || join(cache, "huggingface");
  const path = environment["HF_TOKEN_PATH"] || join(home, "token");
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    // Most people have none, and public models need none.
    return undefined;
  }
}
