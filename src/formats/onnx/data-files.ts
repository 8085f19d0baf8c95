import { roundUp } from "../../bytes/size.ts";
import { tensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { type Piece, type PlannedFile, pieceSize, plannedFile } from "../../core/plan.ts";
import type { ByteSource } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { parseShardName, shardName } from "../../shards/naming.ts";
import { planShards } from "../../shards/planner.ts";
import type { Place } from "./encode-model.ts";

/** Tensors moved out of a model, and the files that they lie in. */
export interface ExternalData {
  readonly files: readonly PlannedFile[];
  readonly places: ReadonlyMap<string, Place>;
}

/** Smaller tensors stay in the model: most are shapes and axes, which tools want to see without a second file. */
const smallBytes = 1024;

/** Where large tensors begin, so that they can be mapped into memory on any platform; and small ones, for vector units. */
const mappedBytes = 1024 * 1024;
const mappedAlignment = 65_536;
const alignment = 64;

/** Types of shapes and axes. */
const wholeNumbers = /^([IU]\d+|BOOL)$/;

const zeros = new Uint8Array(mappedAlignment);

/**
 * Lays tensors out in files of their own: `model.onnx.data`, or `model-00001-of-0000N.data` where one would pass
 * `maxBytes`. Small and empty tensors have no place and stay in the model.
 */
export function layoutData(
  tensors: ReadonlyMap<string, LazyTensor>,
  file: string,
  maxBytes: number,
): ExternalData {
  const large = new Map([...tensors].filter(([, { payload }]) => payload.size >= smallBytes));
  const shards = planShards(tensorDict(large), maxBytes);
  const places = new Map<string, Place>();
  const files = shards.map(({ names }, index) => {
    const location =
      shards.length === 1 ? `${file}.data` : shardName(stemOf(file), ".data", index + 1, shards.length);
    const pieces: Piece[] = [];
    const shared = new Map<string, Place>();
    let at = 0;
    for (const name of names) {
      const tensor = large.get(name) as LazyTensor;
      const { payload } = tensor;
      const known = shared.get(bytesShownBy(tensor) ?? "");
      if (known) {
        places.set(name, known);
        continue;
      }
      const offset = roundUp(at, payload.size >= mappedBytes ? mappedAlignment : alignment);
      if (offset > at) pieces.push({ kind: "bytes", bytes: zeros.subarray(0, offset - at) });
      pieces.push({ kind: "payload", tensor: name, source: payload });
      const place = { location, offset, length: payload.size };
      places.set(name, place);
      shared.set(bytesShownBy(tensor) ?? name, place);
      at = offset + payload.size;
    }
    return plannedFile(location, pieces, 0);
  });
  return { files, places };
}

/** Names the bytes of a storage that a tensor is, from the first to the last; tensors of the same lie in one place. */
function bytesShownBy({ view }: LazyTensor): string | undefined {
  return view?.contiguous ? JSON.stringify([view.storage, view.start, view.end]) : undefined;
}

/**
 * Takes files of another format that hold the same tensors as they are. Whole numbers that are small, such as shapes
 * and axes, are in the model as well, where tools look for them; weights are in one place only.
 */
export function placeInCompanions(
  tensors: ReadonlyMap<string, LazyTensor>,
  companions: readonly PlannedFile[],
  file: string,
): ExternalData {
  const found = placesOfPayloads(companions);
  const places = new Map<string, Place>();
  for (const [name, { dtype, payload }] of tensors) {
    if (payload.size === 0 || (wholeNumbers.test(dtype) && payload.size < smallBytes)) continue;
    const place = found.get(payload);
    if (place === undefined) {
      throw new ConvertError("unsupported", `"${name}" has no bytes of its own in the other files`, {
        file,
        tensor: name,
      });
    }
    places.set(name, place);
  }
  return { files: companions.map((companion) => ({ ...companion, tensorCount: 0 })), places };
}

/** Where files have each payload; one that tensors share is there once, or more often and then the same. */
function placesOfPayloads(files: readonly PlannedFile[]): ReadonlyMap<ByteSource, Place> {
  const places = new Map<ByteSource, Place>();
  for (const { name: location, pieces } of files) {
    let offset = 0;
    for (const piece of pieces) {
      const length = pieceSize(piece);
      if (piece.kind === "payload") places.set(piece.source, { location, offset, length });
      offset += length;
    }
  }
  return places;
}

/** Whether a name is one that `layoutData` gives to a file of the model `file`. */
export function isDataFile(name: string, file: string): boolean {
  if (name === `${file}.data`) return true;
  const shard = parseShardName(name);
  return shard?.stem === stemOf(file) && shard.extension === ".data";
}

function stemOf(file: string): string {
  const dot = file.lastIndexOf(".");
  return dot > 0 ? file.slice(0, dot) : file;
}
