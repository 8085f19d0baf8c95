import type { GraphIndex } from "./graph-index.ts";
import { type Prefix, type Reference, sameShape, splitName, withPrefix } from "./reference.ts";
import { scopePath } from "./scope-path.ts";
import type { MappedParameter, WeightMap } from "./weight-map.ts";

/**
 * Names of the reference that the graph lacks because the exporter keeps only the first name of a tied parameter. The
 * second shows as the scope of a node that uses it. Missing name to kept name.
 */
export function findTied(
  { parameters, index, prefix }: WeightMap,
  reference: Reference,
): ReadonlyMap<string, string> {
  const missing = new Map<string, string>();
  for (const name of reference.names) if (!parameters.has(name)) missing.set(splitName(name).path, name);
  const tied = new Map<string, string>();
  if (missing.size === 0) return tied;
  for (const parameter of parameters.values()) {
    for (const path of usedUnder(parameter, index, prefix)) {
      const other = missing.get(path);
      const isSame =
        other !== undefined &&
        splitName(other).leaf === splitName(parameter.name).leaf &&
        sameShape(reference.shapeOf(other) ?? [], parameter.shape);
      if (isSame) tied.set(other, parameter.name);
    }
  }
  return tied;
}

/** Paths of the modules whose nodes use a parameter. */
function* usedUnder(
  { blocks, copies }: MappedParameter,
  index: GraphIndex,
  prefix: Prefix,
): Iterable<string> {
  for (const { stored } of [...blocks, ...copies]) {
    for (const { node } of index.usesOf(stored.tensor)) {
      const scope = scopePath(node);
      for (const path of [scope?.path, scope?.withoutCount])
        if (path !== undefined) yield withPrefix(path, prefix);
    }
  }
}
