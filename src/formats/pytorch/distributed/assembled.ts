import { createScratchPool, type Scratch } from "../../../core/scratch.ts";
import { type ByteSource, checkRange, type ReadRequest } from "../../../core/source.ts";
import type { Box, ChunkGrid } from "./chunk-grid.ts";

/** A tensor that lies in chunks. */
export interface ChunkedTensor {
  readonly name: string;
  readonly grid: ChunkGrid;
  readonly itemBytes: number;
  /** The elements of a chunk, row-major; asked for when a read needs them, and not kept beyond it. */
  open(chunk: number, request: ReadRequest): Promise<ByteSource>;
  /** Called when the last byte was read. */
  release(): void;
}

/** The most that is put together at a time: what is borrowed is no larger. */
const maxBoxBytes = 4 * 1024 * 1024;

/**
 * The elements of a tensor in row-major order, put together from its chunks as they are asked for. A read is cut into
 * boxes that are whole in all inner dimensions; what a chunk has of such a box lies in one run in the chunk.
 */
export function assembled(tensor: ChunkedTensor): ByteSource {
  const { name, grid, itemBytes } = tensor;
  const size = grid.shape.reduce((product, extent) => product * extent, itemBytes);
  return {
    name,
    size,
    granule: itemBytes,
    async readInto(target, offset, request = {}) {
      checkRange(name, size, offset, target.length);
      const scratch = request.scratch ?? createScratchPool();
      const most = Math.max(1, Math.floor(maxBoxBytes / itemBytes));
      for (let at = 0; at < target.length; ) {
        const count = Math.min(most, (target.length - at) / itemBytes);
        const box = nextBox(grid.shape, (offset + at) / itemBytes, count);
        const bytes = elementsOf(box) * itemBytes;
        await fillBox(tensor, box, target.subarray(at, at + bytes), { ...request, scratch });
        at += bytes;
      }
      if (offset + target.length === size) tensor.release();
    },
  };
}

/** The largest box from element `first` on in row-major order that has at most `count` elements and no gaps. */
function nextBox(shape: readonly number[], first: number, count: number): Box {
  const offsets: number[] = new Array<number>(shape.length).fill(0);
  const sizes: number[] = new Array<number>(shape.length).fill(1);
  let rest = first;
  let below = 1;
  let growing = true;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    const extent = shape[dim] as number;
    const start = rest % extent;
    rest = Math.floor(rest / extent);
    offsets[dim] = start;
    if (!growing) continue;
    const steps = Math.max(1, Math.min(extent - start, Math.floor(count / below)));
    sizes[dim] = steps;
    below *= steps;
    growing = steps === extent;
  }
  return { offsets, sizes };
}

async function fillBox(
  tensor: ChunkedTensor,
  box: Box,
  target: Uint8Array,
  request: ReadRequest & { scratch: Scratch },
): Promise<void> {
  for (const index of tensor.grid.overlapping(box)) {
    const chunk = tensor.grid.boxes[index] as Box;
    const part = intersection(box, chunk);
    const source = await tensor.open(index, request);
    const start = positionIn(chunk, part.offsets) * tensor.itemBytes;
    const bytes = elementsOf(part) * tensor.itemBytes;
    if (bytes === target.length) {
      await source.readInto(target, start, request);
      continue;
    }
    await request.scratch.lend(bytes, async (buffer) => {
      await source.readInto(buffer, start, request);
      place(buffer, part, target, box, tensor.itemBytes);
    });
  }
}

function intersection(one: Box, other: Box): Box {
  const offsets = one.offsets.map((offset, dim) => Math.max(offset, other.offsets[dim] as number));
  const sizes = offsets.map(
    (offset, dim) =>
      Math.min(
        (one.offsets[dim] as number) + (one.sizes[dim] as number),
        (other.offsets[dim] as number) + (other.sizes[dim] as number),
      ) - offset,
  );
  return { offsets, sizes };
}

/** How many elements of `box` come before the one at `offsets`, in row-major order. */
function positionIn(box: Box, offsets: readonly number[]): number {
  return offsets.reduce(
    (position, offset, dim) => position * (box.sizes[dim] as number) + offset - (box.offsets[dim] as number),
    0,
  );
}

function elementsOf({ sizes }: Box): number {
  return sizes.reduce((product, size) => product * size, 1);
}

/** Copies `part`, whose elements are `bytes`, to its place in `box`, whose elements are `target`; both row-major. */
function place(bytes: Uint8Array, part: Box, target: Uint8Array, box: Box, itemBytes: number): void {
  // Inner dimensions that the part has whole are copied in one go.
  let inner = part.sizes.length - 1;
  let runBytes = itemBytes;
  while (inner > 0 && part.sizes[inner] === box.sizes[inner]) runBytes *= part.sizes[inner--] as number;
  runBytes *= part.sizes[inner] as number;
  const at = [...part.offsets];
  for (let from = 0; from < bytes.length; from += runBytes) {
    target.set(bytes.subarray(from, from + runBytes), positionIn(box, at) * itemBytes);
    for (let dim = inner - 1; dim >= 0; dim--) {
      at[dim] = (at[dim] as number) + 1;
      if ((at[dim] as number) < (part.offsets[dim] as number) + (part.sizes[dim] as number)) break;
      at[dim] = part.offsets[dim] as number;
    }
  }
}
