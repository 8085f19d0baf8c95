import { ConvertError } from "../core/errors.ts";
import type { ConvertPathOptions } from "../paths/convert-paths.ts";

/** A file that a module asks for, and how it is to be converted. */
export interface AssetRequest {
  readonly file: string;
  readonly options: ConvertPathOptions;
}

/** Words of a query, each with what it sets; those that take several may be repeated. */
const words: Readonly<Record<string, (values: readonly string[]) => ConvertPathOptions>> = {
  dtype: (values) => ({ dtype: values }),
  include: (values) => ({ include: values }),
  exclude: (values) => ({ exclude: values }),
  select: ([value]) => ({ select: value }),
  "strip-prefix": ([value]) => ({ stripPrefix: value }),
  "add-prefix": ([value]) => ({ addPrefix: value }),
  allow: (values) => ({ allow: values }),
};

/** Reads `model.pth?dtype=f16&include=encoder.*`. Bundlers put words of their own there, which have no value. Throws kind `usage`. */
export function parseRequest(id: string, defaults: ConvertPathOptions): AssetRequest {
  const at = id.indexOf("?");
  if (at < 0) return { file: id, options: defaults };
  const file = id.slice(0, at);
  const query = new URLSearchParams(id.slice(at + 1));
  let options = defaults;
  for (const name of new Set(query.keys())) {
    const set = words[name];
    if (set !== undefined) options = { ...options, ...set(query.getAll(name)) };
    else if (query.get(name) !== "" && !["t", "v"].includes(name)) {
      throw new ConvertError("usage", `"${name}" in the import of a model is not known`, {
        file,
        hint: `known are ${Object.keys(words).join(", ")}`,
      });
    }
  }
  return { file, options };
}
