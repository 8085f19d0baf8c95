import { safeProduct } from "../../../bytes/size.ts";
import { ConvertError } from "../../../core/errors.ts";
import { type ByteSource, section } from "../../../core/source.ts";
import { joined } from "../../../strides/joined.ts";
import { gathered } from "../../../strides/strided.ts";
import { type Block, naturalStrides, type Side } from "./blocks.ts";

/** Elements of one tensor, as parts of others. */
export interface Assembly {
  readonly name: string;
  readonly shape: readonly number[];
  readonly itemBytes: number;
  readonly blocks: readonly Block[];
}

/** The elements of a parameter in row-major order, out of the tensors of the graph that hold them. */
export function assembleParameter(assembly: Assembly, open: (stored: string) => ByteSource): ByteSource {
  return assemble(
    assembly,
    assembly.blocks.map(({ shape, parameter, stored }) => ({ shape, to: parameter, from: stored })),
    open,
  );
}

/** The elements of a tensor of the graph in row-major order, out of the parameters. */
export function assembleStored(assembly: Assembly, open: (parameter: string) => ByteSource): ByteSource {
  return assemble(
    assembly,
    assembly.blocks.map(({ shape, parameter, stored }) => ({ shape, to: stored, from: parameter })),
    open,
  );
}

/** Elements that move from one tensor to another. */
interface Move {
  readonly shape: readonly number[];
  readonly to: Side;
  readonly from: Side;
}

function assemble(
  { name, shape, itemBytes }: Assembly,
  moves: readonly Move[],
  open: (tensor: string) => ByteSource,
): ByteSource {
  const sorted = moves.map(inTargetOrder).sort((a, b) => a.to.offset - b.to.offset);
  let at = 0;
  const parts = sorted.map((move) => {
    if (move.to.offset !== at) throw gap(name, at);
    at += safeProduct(move.shape) ?? 0;
    return partOf(move, itemBytes, open(move.from.tensor), name);
  });
  if (at !== safeProduct(shape)) throw gap(name, at);
  return joined(name, parts);
}

function gap(name: string, at: number): ConvertError {
  return new ConvertError("unsupported", `the parts of "${name}" do not meet at element ${at}`, {
    tensor: name,
  });
}

/** The same block with its dimensions as the target has them in memory, the largest step first. */
function inTargetOrder({ shape, to, from }: Move): Move {
  const order = shape
    .map((_, dim) => dim)
    .sort((a, b) => (to.strides[b] as number) - (to.strides[a] as number));
  const permuted = (values: readonly number[]) => order.map((dim) => values[dim] as number);
  return {
    shape: permuted(shape),
    to: { ...to, strides: permuted(to.strides) },
    from: { ...from, strides: permuted(from.strides) },
  };
}

function partOf({ shape, from }: Move, itemBytes: number, source: ByteSource, name: string): ByteSource {
  const natural = naturalStrides(shape);
  if (from.strides.every((stride, dim) => stride === natural[dim] || shape[dim] === 1)) {
    const start = from.offset * itemBytes;
    return section(source, start, start + (safeProduct(shape) ?? 0) * itemBytes, name);
  }
  return gathered(source, { name, offset: from.offset, shape, strides: from.strides, itemBytes });
}
