import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Leftover, TensorDict } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { openValue } from "../tensors/open-value.ts";
import { attributesOf, describeValue, keyText, mappingEntries } from "../values/python-values.ts";
import { stateDictExtras } from "./module-versions.ts";
import type { NamedValue } from "./named-value.ts";
import { refuseParts } from "./training-parts.ts";

/**
 * The entries of a mapping or of a module as a tensor dict, in their order. What is no tensor is listed as left over, here and at the
 * top of the file. Throws where a tensor is broken (`malformed`) or of a kind that is not read (`unsupported`).
 */
export function stateDict(
  mapping: PickleValue,
  entries: Iterable<NamedValue>,
  path: string,
  root: PickleValue,
  file: string,
  context: RunContext,
): TensorDict {
  const tensors = new Map<string, LazyTensor>();
  const leftovers: Leftover[] = [];
  for (const [key, value] of entries) {
    const name = keyText(key);
    const opened = openValue(name, value, file, context);
    if (opened.length === 0)
      leftovers.push({ name: path === "" ? name : `${path}.${name}`, what: describeValue(value) });
    for (const [tensorName, tensor] of opened) {
      if (tensors.has(tensorName)) {
        throw new ConvertError(
          "unsupported",
          `two tensors of the state dict would be named "${tensorName}"`,
          {
            file,
            tensor: tensorName,
          },
        );
      }
      tensors.set(tensorName, tensor);
    }
    checkLimit(context.limits, "entries", tensors.size, "the number of tensors", { file });
  }
  refuseParts(path, tensors, root, file);
  const extras = stateDictExtras(attributesOf(mapping)?.get("_metadata"));
  return {
    tensors,
    metadata: new Map(),
    aliases: new Map(),
    leftovers: [...leftovers, ...besides(path, root)],
    extras: new Map([["pytorch", extras]]),
  };
}

/** The other things at the top of the file, when the state dict lies below it. */
function besides(path: string, root: PickleValue): Leftover[] {
  if (path === "") return [];
  const others: Leftover[] = [];
  for (const [key, value] of mappingEntries(root) ?? []) {
    const name = keyText(key);
    if (path !== name && !path.startsWith(`${name}.`)) others.push({ name, what: describeValue(value) });
  }
  return others;
}
