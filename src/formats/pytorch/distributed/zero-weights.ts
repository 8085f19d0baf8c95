import { roundUp } from "../../../bytes/size.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { type ByteSource, section } from "../../../core/source.ts";
import { joined } from "../../../strides/joined.ts";
import type { TorchDType } from "../values/dtypes.ts";
import type { TorchTensor } from "../values/torch-values.ts";
import type { ZeroShape } from "./zero-states.ts";

/** The flat tensors of all ranks: `parts[rank][group]`, each contiguous. */
export interface FlatParts {
  readonly dtype: TorchDType;
  readonly parts: readonly (readonly ByteSource[])[];
}

/**
 * Stages 1 and 2: the ranks' parts of a group, one after the other, are its weights one after the other. What is left
 * at the end fills the group up to a multiple of twice the ranks; more than that is refused (kind `malformed`).
 */
export function cutGroups(
  groups: readonly (readonly ZeroShape[])[],
  { dtype, parts }: FlatParts,
  site: ErrorSite,
): ReadonlyMap<string, TorchTensor> {
  const weights = new Map<string, TorchTensor>();
  if (parts.some((flat) => flat.length !== groups.length)) {
    throw new ConvertError("malformed", "the optimizer has other groups of weights than the model", site);
  }
  for (const [index, group] of groups.entries()) {
    const label = `${site.file}#group ${index}`;
    const runs = parts.map((rank) => rank[index] as ByteSource);
    const bytes = runs.reduce((sum, { size }) => sum + size, 0);
    const wanted = group.reduce((sum, { elements }) => sum + elements, 0);
    checkElements(wanted, bytes / dtype.itemBytes, 2 * parts.length, site);
    let at = 0;
    for (const weight of group) {
      const start = at * dtype.itemBytes;
      at += weight.elements;
      const source = joined(label, runsWithin(runs, start, at * dtype.itemBytes, label));
      weights.set(weight.name, contiguous(weight, dtype, source));
    }
  }
  return weights;
}

/**
 * Stage 3: each weight is cut into one piece for each rank, of equal length, the last one filled up; a rank has its pieces
 * one after the other, whatever the groups. Throws kind `malformed` where a rank has more or less than that.
 */
export function cutWeights(
  shapes: readonly ZeroShape[],
  { dtype, parts }: FlatParts,
  site: ErrorSite,
): ReadonlyMap<string, TorchTensor> {
  const weights = new Map<string, TorchTensor>();
  const wanted = shapes.reduce((sum, { elements }) => sum + Math.ceil(elements / parts.length), 0);
  for (const rank of parts) {
    const bytes = rank.reduce((sum, { size }) => sum + size, 0);
    checkElements(wanted, bytes / dtype.itemBytes, 1, site);
  }
  let at = 0;
  for (const weight of shapes) {
    const count = Math.ceil(weight.elements / parts.length);
    const label = `${site.file}#${weight.name}`;
    const pieces = parts.flatMap((rank) =>
      runsWithin(rank, at * dtype.itemBytes, (at + count) * dtype.itemBytes, label),
    );
    weights.set(weight.name, contiguous(weight, dtype, cutTo(pieces, weight, dtype, label)));
    at += count;
  }
  return weights;
}

/** A weight that is not trained, whose pieces each rank has as tensors of their own. */
export function joinPieces(
  weight: ZeroShape,
  dtype: TorchDType,
  pieces: readonly ByteSource[],
  site: ErrorSite,
): TorchTensor {
  const bytes = pieces.reduce((sum, { size }) => sum + size, 0);
  checkElements(weight.elements, bytes / dtype.itemBytes, pieces.length, site);
  return contiguous(weight, dtype, cutTo(pieces, weight, dtype, `${site.file}#${weight.name}`));
}

function cutTo(
  pieces: readonly ByteSource[],
  weight: ZeroShape,
  dtype: TorchDType,
  label: string,
): ByteSource {
  return joined(label, runsWithin(pieces, 0, weight.elements * dtype.itemBytes, label));
}

/** Bytes `start` to `end` of sources one behind the other. */
function runsWithin(
  sources: readonly ByteSource[],
  start: number,
  end: number,
  name: string,
): readonly ByteSource[] {
  const runs: ByteSource[] = [];
  let at = 0;
  for (const source of sources) {
    const from = Math.max(start, at);
    const to = Math.min(end, at + source.size);
    if (from < to) runs.push(section(source, from - at, to - at, name));
    at += source.size;
  }
  return runs;
}

function checkElements(wanted: number, found: number, step: number, site: ErrorSite): void {
  if (found >= wanted && roundUp(wanted, step) === roundUp(found, step)) return;
  throw new ConvertError(
    "malformed",
    `the flat tensors of the ranks have ${found} elements, but the weights in them have ${wanted}`,
    { ...site, hint: "the files may be of different steps or runs; copy the folder again" },
  );
}

/** A tensor on a storage of its own. */
function contiguous({ name, shape }: ZeroShape, dtype: TorchDType, source: ByteSource): TorchTensor {
  const strides = shape.map((_, dim) =>
    shape.slice(dim + 1).reduce((product, extent) => product * extent, 1),
  );
  const storage = { type: "storage" as const, key: `fp32.${name}`, dtype, source };
  return { type: "tensor", storage, dtype, offset: 0, shape, strides };
}
