import type { TensorInfo } from "../../../core/tensor.ts";

/** Names and shapes of a checkpoint, as a guide for names that the graph has lost. */
export interface Reference {
  shapeOf(name: string): readonly number[] | undefined;
  /** Modules that have a parameter of this leaf and shape, in the order of the checkpoint. Of a leaf with `#`, one for each layer. */
  modulesWith(leaf: string, shape: readonly number[]): readonly Place[];
  /** All names in order. */
  readonly names: readonly string[];
}

/** A module, and a layer of it. */
export interface Place {
  readonly path: string;
  readonly layer: number;
}

/** A module's path and what comes after it, as one name. */
export function joinName(path: string, leaf: string): string {
  return path === "" ? leaf : `${path}.${leaf}`;
}

/** The module's path in a name, and what comes after it. */
export function splitName(name: string): { readonly path: string; readonly leaf: string } {
  const dot = name.lastIndexOf(".");
  return { path: name.slice(0, Math.max(0, dot)), leaf: name.slice(dot + 1) };
}

/** Looks names up by what they are of. */
export function createReference(tensors: ReadonlyMap<string, Pick<TensorInfo, "shape">>): Reference {
  const places = new Map<string, Place[]>();
  for (const [name, { shape }] of tensors) {
    const { path, leaf } = splitName(name);
    const layer = /_l(\d+)(?=_reverse$|$)/.exec(leaf);
    const general = layer
      ? `${leaf.slice(0, layer.index)}_l#${leaf.slice(layer.index + layer[0].length)}`
      : leaf;
    const key = keyOf(general, shape);
    const known = places.get(key) ?? [];
    known.push({ path, layer: layer ? Number(layer[1]) : 0 });
    places.set(key, known);
  }
  return {
    names: [...tensors.keys()],
    shapeOf: (name) => tensors.get(name)?.shape,
    modulesWith: (leaf, shape) => places.get(keyOf(leaf, shape)) ?? [],
  };
}

function keyOf(leaf: string, shape: readonly number[]): string {
  return `${shape.join("x")} ${leaf}`;
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, dim) => extent === b[dim]);
}

/** How names of a graph become those of a checkpoint: by a prefix to take off, or one to put in front. */
export interface Prefix {
  readonly drop: string;
  readonly add: string;
}

/** The prefix by which most kept names are found in a checkpoint: `module.` of a parallel run, `model.` of an exported wrapper. */
export function findPrefix(kept: readonly string[], reference: Reference): Prefix {
  const known = new Set(reference.names);
  const sample = kept.slice(0, 64);
  let best: Prefix = { drop: "", add: "" };
  let bestCount = sample.filter((name) => known.has(name)).length;
  for (const prefix of candidates(sample, reference.names)) {
    const count = sample.filter((name) => known.has(withPrefix(name, prefix))).length;
    if (count > bestCount) [best, bestCount] = [prefix, count];
  }
  return best;
}

function candidates(sample: readonly string[], names: readonly string[]): Iterable<Prefix> {
  const found = new Map<string, Prefix>();
  for (const kept of sample.slice(0, 8)) {
    for (const name of names) {
      if (name.endsWith(`.${kept}`)) {
        const add = name.slice(0, name.length - kept.length);
        found.set(`+${add}`, { drop: "", add });
      }
    }
    for (let dot = kept.indexOf("."); dot > 0; dot = kept.indexOf(".", dot + 1)) {
      const drop = kept.slice(0, dot + 1);
      found.set(`-${drop}`, { drop, add: "" });
    }
  }
  return found.values();
}

/** A graph's name or path as the checkpoint has it. */
export function withPrefix(name: string, { drop, add }: Prefix): string {
  return add + (drop !== "" && name.startsWith(drop) ? name.slice(drop.length) : name);
}
