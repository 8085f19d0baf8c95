import { safeProduct } from "../../../bytes/size.ts";
import { type PickleContext, readPickle } from "../../../containers/pickle/read.ts";
import { isKind, PickleDict, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Checkpoint } from "../../../core/dict.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import type { InputFolder } from "../../../core/sink.ts";
import { type ByteSource, bytesSource, section } from "../../../core/source.ts";
import { readSavedZip } from "../archive/saved-object.ts";
import { checkpointOf } from "../objects/checkpoint.ts";
import { createTorchGlobals } from "../scan/nested-pickles.ts";
import { judge } from "../scan/verdicts.ts";
import { openTensor } from "../tensors/open-tensor.ts";
import { asTensor, host, type TorchTensor } from "../values/torch-values.ts";
import { assembled } from "./assembled.ts";
import { type Box, type ChunkGrid, createChunkGrid } from "./chunk-grid.ts";
import {
  type ChunkPlace,
  type DistributedMetadata,
  type DistributedTensor,
  parseDistributedMetadata,
} from "./distributed-metadata.ts";

/** What the tensors of one checkpoint share. */
interface Parts {
  readonly file: string;
  readonly context: RunContext;
  /** The files of the chunks by name. */
  readonly files: ReadonlyMap<string, ByteSource>;
}

/**
 * Reads a folder of `torch.distributed.checkpoint` by its `.metadata`: each tensor is put together from chunks in the
 * `.distcp` files beside it (FORMAT.md, "Distributed checkpoint folders"). A chunk is opened when it is first needed.
 */
export async function readDistributed(
  source: ByteSource,
  folder: InputFolder,
  context: RunContext,
): Promise<Checkpoint> {
  const file = source.name;
  const { value } = await readPickle(source, 0, {}, context);
  const metadata = parseDistributedMetadata(value, { file });
  const files = await openFiles(metadata, folder, file, context);
  const quiet = { ...context, warn: once(context.warn) };
  const root = new PickleDict();
  let cells = 0;
  for (const [name, tensor] of metadata.entries) {
    const grid = tensor && gridOf(tensor, { file, tensor: name }, context);
    cells += (grid?.cellCount ?? 0) + 1;
    checkLimit(context.limits, "entries", cells, "the number of chunks", { file });
    const leaf = tensor && grid ? host(describe(name, tensor, grid, { file, context: quiet, files })) : other;
    insert(root, metadata.paths.get(name) ?? [name], leaf, { file, tensor: name });
  }
  return checkpointOf("distributed", root, file, context);
}

/** How deep a saved object may nest. */
const maxDepth = 1000;

/** Stands for a value that is no tensor: a pickle of its own in one of the files. */
const other: PickleValue = new Uint8Array(0);

/** Every file that a chunk lies in. Throws kind `io` where one is missing, `unsafe` where it is not in the folder. */
async function openFiles(
  { entries }: DistributedMetadata,
  folder: InputFolder,
  file: string,
  context: RunContext,
): Promise<ReadonlyMap<string, ByteSource>> {
  const files = new Map<string, ByteSource>();
  for (const [tensor, value] of entries) {
    for (const { place } of value?.chunks ?? []) {
      if (files.has(place.file)) continue;
      const source = await folder.open(place.file);
      if (source === undefined) {
        throw new ConvertError("io", `the metadata names the file "${place.file}", which is not there`, {
          file,
          tensor,
          hint: "each rank writes files of its own; bring them all into one folder",
        });
      }
      files.set(place.file, source);
      checkLimit(context.limits, "entries", files.size, "the number of files", { file });
    }
  }
  return files;
}

function gridOf(
  { shape, chunks }: DistributedTensor,
  site: ErrorSite,
  context: RunContext,
): ChunkGrid | undefined {
  return shape.includes(0) ? emptyGrid(shape) : createChunkGrid(shape, chunks, context.limits, site);
}

function emptyGrid(shape: readonly number[]): ChunkGrid {
  return { shape, boxes: [], cellCount: 0, overlapping: () => [] };
}

/** The tensor as if it lay in one storage, contiguous. */
function describe(name: string, tensor: DistributedTensor, grid: ChunkGrid, parts: Parts): TorchTensor {
  const { dtype, shape } = tensor;
  const bytes = safeProduct([...shape.filter((extent) => extent > 0), dtype.itemBytes]);
  if (bytes === undefined) {
    throw new ConvertError("malformed", `shape [${shape.join(", ")}] has more elements than any file holds`, {
      file: parts.file,
      tensor: name,
    });
  }
  const label = `${parts.file}#${name}`;
  const source = shape.includes(0)
    ? bytesSource(label, new Uint8Array(0))
    : assembledFrom(label, name, tensor, grid, parts);
  const strides = shape.map((_, dim) =>
    shape.slice(dim + 1).reduce((product, extent) => product * extent, 1),
  );
  return {
    type: "tensor",
    storage: { type: "storage", key: name, dtype, source },
    dtype,
    offset: 0,
    shape,
    strides,
  };
}

function assembledFrom(
  label: string,
  name: string,
  { dtype, chunks }: DistributedTensor,
  grid: ChunkGrid,
  parts: Parts,
): ByteSource {
  const places = new Map<Box, ChunkPlace>(chunks.map((chunk) => [chunk, chunk.place]));
  const opened = new Map<number, Promise<ByteSource>>();
  return assembled({
    name: label,
    grid,
    itemBytes: dtype.itemBytes,
    open(index, { signal }) {
      const box = grid.boxes[index] as Box;
      const source =
        opened.get(index) ?? openChunk(name, box, places.get(box) as ChunkPlace, dtype.name, parts, signal);
      opened.set(index, source);
      return source;
    },
    release: () => opened.clear(),
  });
}

/** A chunk's archive holds one tensor and nothing else; it has to be what the metadata says. */
async function openChunk(
  name: string,
  { offsets, sizes }: Box,
  place: ChunkPlace,
  dtype: string,
  { files, context }: Parts,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const whole = files.get(place.file) as ByteSource;
  const label = `${whole.name}#${name}@${offsets.join(",")}`;
  const archive = section(whole, place.start, place.end, label);
  // What is read this late is judged by itself.
  const globals = createTorchGlobals(context.limits);
  const inner: PickleContext = { ...context, signal: signal ?? context.signal, globals };
  const tensor = asTensor(await readSavedZip(archive, inner));
  context.review?.(judge(globals, { isScript: false }), archive.name);
  if (tensor === undefined || tensor.dtype.name !== dtype || tensor.shape.join() !== sizes.join()) {
    const found = tensor ? `${tensor.dtype.name} of shape [${tensor.shape.join(", ")}]` : "no tensor";
    throw new ConvertError(
      "malformed",
      `the chunk at [${offsets.join(", ")}] should be ${dtype} of shape [${sizes.join(", ")}], but is ${found}`,
      { file: whole.name, offset: place.start, tensor: name },
    );
  }
  return openTensor(label, tensor, archive.name, context).payload;
}

/** Puts a value where the saved object had it. Throws kind `malformed` where another value is in the way. */
function insert(root: PickleDict, path: readonly string[], value: PickleValue, site: ErrorSite): void {
  if (path.length > maxDepth) throw new ConvertError("malformed", "the checkpoint nests without end", site);
  let at = root;
  for (const [index, key] of path.entries()) {
    const isLast = index === path.length - 1;
    const known = at.get(key);
    if (known !== undefined && (isLast || !isKind(known, "dict"))) {
      throw new ConvertError(
        "malformed",
        `two values of the checkpoint are both at "${path.join(".")}"`,
        site,
      );
    }
    if (isLast) at.set(key, value);
    else if (isKind(known, "dict")) at = known;
    else {
      const next = new PickleDict();
      at.set(key, next);
      at = next;
    }
  }
}

/** Hands each kind of notice on once; every chunk would repeat it. */
function once(warn: RunContext["warn"]): RunContext["warn"] {
  const known = new Set<string>();
  return (notice) => {
    if (known.has(notice.code)) return;
    known.add(notice.code);
    warn(notice);
  };
}
