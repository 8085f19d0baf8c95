import { isKind, type PickleDict, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";
import { attributesOf } from "../values/python-values.ts";
import { sizesOf } from "../values/torch-values.ts";
import type { Box } from "./chunk-grid.ts";

/** Which bytes of which file hold a chunk: an archive of `torch.save` of its own. */
export interface ChunkPlace {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** A tensor of a distributed checkpoint. */
export interface DistributedTensor {
  readonly dtype: TorchDType;
  readonly shape: readonly number[];
  readonly chunks: readonly (Box & { readonly place: ChunkPlace })[];
}

/** What a `.metadata` says, in its order. */
export interface DistributedMetadata {
  /** By full name; `undefined` for a value that is no tensor. */
  readonly entries: ReadonlyMap<string, DistributedTensor | undefined>;
  /** Keys on the way from the top of the saved object to each value, numbers as text; not every writer notes them. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
}

type Fail = (message: string, name?: string) => never;

/** Reads the object of a `.metadata`. Throws kind `malformed` where it is none, `unsupported` for chunks that are packed. */
export function parseDistributedMetadata(root: PickleValue, site: ErrorSite): DistributedMetadata {
  const fail: Fail = (message, tensor) => {
    throw new ConvertError("malformed", message, { ...site, tensor });
  };
  const attributes = attributesOf(root);
  const states = attributes?.get("state_dict_metadata");
  if (!isKind(states, "dict")) return fail("the metadata of the distributed checkpoint lists no state dict");
  const places = placesIn(attributes?.get("storage_data"), site, fail);
  const entries = new Map<string, DistributedTensor | undefined>();
  for (const [name, value] of states.entries()) {
    if (typeof name !== "string")
      return fail("the metadata of the distributed checkpoint has a nameless entry");
    const state = attributesOf(value);
    const isTensor = state?.get("chunks") !== undefined;
    entries.set(name, isTensor ? parseTensor(name, state, places.get(name), site, fail) : undefined);
  }
  return { entries, paths: pathsIn(attributes?.get("planner_data")) };
}

function parseTensor(
  name: string,
  state: PickleDict,
  places: ReadonlyMap<string, ChunkPlace> | undefined,
  site: ErrorSite,
  fail: Fail,
): DistributedTensor {
  const shape = sizesOf(state.get("size")) ?? fail("a tensor has a broken shape", name);
  const dtype = dtypeOf(state.get("properties"), name, site);
  const list = state.get("chunks");
  if (!isKind(list, "list")) return fail("a tensor has no list of chunks", name);
  const chunks = list.items.map((item) => {
    const chunk = attributesOf(item);
    const offsets = sizesOf(chunk?.get("offsets"));
    const sizes = sizesOf(chunk?.get("sizes"));
    if (offsets === undefined || sizes === undefined) return fail("a chunk has a broken place or size", name);
    const place = places?.get(offsets.join());
    return { offsets, sizes, place: place ?? fail(`the chunk at [${offsets.join(", ")}] is nowhere`, name) };
  });
  return { dtype, shape, chunks };
}

/** The dtype is the first item of the properties' state; the rest says nothing about the bytes. */
function dtypeOf(properties: PickleValue | undefined, name: string, site: ErrorSite): TorchDType {
  const state = isKind(properties, "call") ? properties.state : undefined;
  const global = isKind(state, "tuple") ? state.items[0] : undefined;
  const dtype =
    isKind(global, "global") && global.module === "torch" ? torchDTypeByName.get(global.name) : undefined;
  // The integers of quantized tensors would be there, but not what they mean.
  if (dtype && !/^qu?int/.test(dtype.name)) return dtype;
  const found = isKind(global, "global") ? `${global.module}.${global.name}` : "nothing";
  throw new ConvertError("unsupported", `"${name}" is of the type ${found}, which is not read`, {
    ...site,
    tensor: name,
  });
}

/** Places by name, and then by the offsets of the chunk. */
function placesIn(
  storage: PickleValue | undefined,
  site: ErrorSite,
  fail: Fail,
): ReadonlyMap<string, ReadonlyMap<string, ChunkPlace>> {
  if (!isKind(storage, "dict")) return fail("the metadata of the distributed checkpoint names no files");
  const places = new Map<string, Map<string, ChunkPlace>>();
  for (const [key, value] of storage.entries()) {
    const index = attributesOf(key);
    const name = index?.get("fqn");
    const offsets = sizesOf(index?.get("offset"));
    // Values that are no tensors have a place, but no offset in a tensor.
    if (typeof name !== "string" || offsets === undefined) continue;
    const ofTensor = places.get(name) ?? new Map<string, ChunkPlace>();
    ofTensor.set(offsets.join(), parsePlace(value, name, site, fail));
    places.set(name, ofTensor);
  }
  return places;
}

function parsePlace(value: PickleValue, name: string, site: ErrorSite, fail: Fail): ChunkPlace {
  const info = attributesOf(value);
  const file = info?.get("relative_path");
  const start = info?.get("offset");
  const length = info?.get("length");
  if (typeof file !== "string" || typeof start !== "number" || typeof length !== "number")
    return fail("a chunk has no file, offset and length", name);
  if (start < 0 || length < 0) return fail("a chunk has a negative offset or length", name);
  const packed = info?.get("transform_descriptors");
  if (packed !== undefined && packed !== null && !(isKind(packed, "list") && packed.items.length === 0)) {
    throw new ConvertError("unsupported", `the chunks of "${name}" are compressed or encrypted`, {
      ...site,
      tensor: name,
      hint: "load the checkpoint with torch and save it without stream transforms",
    });
  }
  return { file, start, end: start + length };
}

function pathsIn(planner: PickleValue | undefined): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>();
  if (!isKind(planner, "dict")) return paths;
  for (const [name, path] of planner.entries()) {
    if (typeof name !== "string" || !isKind(path, "tuple") || path.items.length === 0) continue;
    const keys = path.items.filter((key) => typeof key === "string" || typeof key === "number");
    if (keys.length === path.items.length) paths.set(name, keys.map(String));
  }
  return paths;
}
