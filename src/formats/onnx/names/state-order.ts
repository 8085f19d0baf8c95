import { type Reference, splitName } from "./reference.ts";
import type { MappedParameter, WeightMap } from "./weight-map.ts";

const leaves = ["weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"];

/**
 * Names of parameters as a state dict would have them: in the order of the reference, or else kept ones as the file has
 * them, which is the order of the modules, and the others beside parameters of their module or behind what is used before.
 */
export function inOrder({ parameters }: WeightMap, reference: Reference | undefined): readonly string[] {
  if (reference) {
    const known = reference.names.filter((name) => parameters.has(name));
    const others = [...parameters.keys()].filter((name) => reference.shapeOf(name) === undefined);
    return [...known, ...others];
  }
  const all = [...parameters.values()];
  const places = placeKept(all.filter(({ how }) => how === "kept"));
  // Walks along the graph: what has no neighbour stands behind the last parameter used before it.
  let behind = -1;
  const keyed = [...all]
    .sort((a, b) => a.order - b.order)
    .map((parameter, step) => {
      const { path, leaf } = splitName(parameter.name);
      const place = places.byName.get(parameter.name) ?? places.byModule.get(path);
      if (place !== undefined) behind = place;
      if (parameter.how === "kept") return { parameter, place: place ?? 0, side: 0, step };
      const side = place === undefined ? 1 : leaves.includes(leaf) ? -1 : 0.5;
      return { parameter, place: behind, side, step };
    });
  keyed.sort((a, b) => a.place - b.place || a.side - b.side || a.step - b.step);
  return keyed.map(({ parameter }) => parameter.name);
}

function placeKept(kept: readonly MappedParameter[]): {
  readonly byName: ReadonlyMap<string, number>;
  readonly byModule: ReadonlyMap<string, number>;
} {
  const byName = new Map<string, number>();
  const byModule = new Map<string, number>();
  for (const [place, { name }] of kept.entries()) {
    const { path } = splitName(name);
    byName.set(name, place);
    if (!byModule.has(path)) byModule.set(path, place);
  }
  return { byName, byModule };
}
