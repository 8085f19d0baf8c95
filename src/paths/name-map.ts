import { readFile } from "node:fs/promises";
import { parseJson } from "../containers/json/parse.ts";
import { ConvertError } from "../core/errors.ts";
import { systemError } from "../node/system-errors.ts";

/**
 * Reads old names and their new ones from a JSON or YAML file: one object, or mapping, of strings. In YAML every plain
 * value is a string here. Throws kind `io` where it cannot be read, `malformed` or `usage` where it is something else.
 */
export async function readNameMap(path: string): Promise<ReadonlyMap<string, string>> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw systemError("io", path, error);
  });
  // The JSON of a large model is read many times as fast as the same through YAML.
  const parsed = path.endsWith(".json") ? parseJson(bytes, path, 0) : await parseYaml(bytes, path);
  if (!(parsed instanceof Map)) throw noMap(path, "it is no object or mapping");
  for (const [from, to] of parsed) {
    if (typeof from !== "string" || typeof to !== "string")
      throw noMap(path, `the entry of ${JSON.stringify(from)} does not give a name a name`);
  }
  return parsed;
}

async function parseYaml(bytes: Uint8Array, path: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    return parse(new TextDecoder().decode(bytes), { schema: "failsafe", mapAsMap: true, maxAliasCount: 0 });
  } catch (error) {
    throw noMap(path, (error as Error).message.split("\n")[0] as string);
  }
}

function noMap(file: string, why: string): ConvertError {
  return new ConvertError("usage", `this is no map of names: ${why}`, {
    file,
    hint: 'write {"old.name": "new.name"}, or a line "old.name: new.name" for each in YAML',
  });
}
