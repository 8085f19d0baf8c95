import type { PickleDict, PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit, type Limits } from "../../../core/limits.ts";
import { attributesOf, itemsOfSet, mappingEntries } from "../values/python-values.ts";
import type { NamedValue } from "./named-value.ts";
import { isQuantizedClass, quantizedEntries } from "./quantized-modules.ts";
import { reachableTensors } from "./reachable.ts";

/** How deep modules may nest; Python itself gives up at a thousand calls. */
const maxDepth = 1000;

/** Whether a value is a pickled `nn.Module`: an object with the registries that every module has. */
export function isModule(value: PickleValue | undefined): boolean {
  const attributes = attributesOf(value);
  return (
    attributes !== undefined &&
    ["_parameters", "_buffers", "_modules"].every((name) => isRegistry(attributes, name))
  );
}

function isRegistry(attributes: PickleDict, name: string): boolean {
  return mappingEntries(attributes.get(name)) !== undefined;
}

/**
 * What `module.state_dict()` would give, with no class at hand: own parameters, own persistent buffers, then the
 * submodules in order; what is registered as None is left out, and what is shared comes once for each name.
 */
export function moduleEntries(root: PickleValue, file: string, limits: Limits): readonly NamedValue[] {
  const entries: NamedValue[] = [];
  let visits = 0;
  const pending: { readonly module: PickleValue; readonly prefix: string; readonly depth: number }[] = [
    { module: root, prefix: "", depth: 0 },
  ];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { module, prefix, depth } = visit;
    // Shared modules come once for each way to them, of which there can be exponentially many.
    checkLimit(limits, "entries", ++visits, "the number of modules", { file });
    if (depth > maxDepth) {
      throw new ConvertError("malformed", "the modules nest without end", { file });
    }
    const attributes = attributesOf(module);
    if (attributes === undefined || !isModule(module)) {
      entries.push(...entriesOfItsOwn(module, prefix));
      continue;
    }
    for (const [name, value] of ownEntries(attributes)) entries.push([prefix + name, value]);
    if (isQuantizedClass(module)) entries.push(...quantizedEntries(module, prefix));
    const children = [...named(attributes, "_modules")].reverse();
    for (const [name, child] of children) {
      if (child !== null) pending.push({ module: child, prefix: `${prefix}${name}.`, depth: depth + 1 });
    }
  }
  return entries;
}

/** A class with its own way of pickling: its weights come under their places, so that none is lost. */
function entriesOfItsOwn(module: PickleValue, prefix: string): readonly NamedValue[] {
  const quantized = isQuantizedClass(module) ? quantizedEntries(module, prefix) : [];
  if (quantized.length > 0) return quantized;
  return reachableTensors(module, prefix.slice(0, -1)).map(({ path, value }) => [path, value]);
}

function* ownEntries(attributes: PickleDict): Iterable<readonly [string, PickleValue]> {
  for (const [name, value] of named(attributes, "_parameters")) if (value !== null) yield [name, value];
  // Releases before 1.5 had no such set, and no such buffers.
  const transient = new Set(itemsOfSet(attributes.get("_non_persistent_buffers_set")));
  for (const [name, value] of named(attributes, "_buffers"))
    if (value !== null && !transient.has(name)) yield [name, value];
}

function* named(attributes: PickleDict, registry: string): Iterable<readonly [string, PickleValue]> {
  for (const [name, value] of mappingEntries(attributes.get(registry)) ?? []) {
    if (typeof name === "string" || typeof name === "number") yield [String(name), value];
  }
}
