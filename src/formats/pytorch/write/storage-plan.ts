import { roundUp } from "../../../bytes/size.ts";
import type { TensorDict } from "../../../core/dict.ts";
import { type DType, elementCount } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { type ByteSource, section } from "../../../core/source.ts";
import { type LazyTensor, rowMajorStrides } from "../../../core/tensor.ts";
import { type TorchDType, torchDTypeFor } from "../values/dtypes.ts";

/** A storage of the output: a record of the archive. */
export interface PlannedStorage {
  readonly key: string;
  /** The first tensor that shows it. */
  readonly label: string;
  readonly source: ByteSource;
  /** The element type of a typed storage; an untyped one holds several, or one that torch has no class for. */
  readonly dtype: TorchDType | undefined;
}

/** Where a tensor lies: offset and strides in elements of its own type. */
export interface Placement {
  readonly storage: PlannedStorage;
  readonly dtype: TorchDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Storages in order of their first tensor, and the place of every tensor within them. */
export function planStorages(
  dict: TensorDict,
  file: string,
): { readonly storages: readonly PlannedStorage[]; readonly placements: ReadonlyMap<string, Placement> } {
  const groups = groupByStorage(dict);
  const storages: PlannedStorage[] = [];
  // In the order of the dict, whatever the order of the storages.
  const placements = new Map<string, Placement>();
  for (const name of dict.tensors.keys()) placements.set(name, pending);
  for (const members of groups) {
    const range = usedRange(members);
    const types = members.map(([name, tensor]) => torchTypeOf(name, tensor.dtype, file));
    const [first] = types as [TorchDType];
    const isTyped = first.storageClass !== undefined && types.every((type) => type === first);
    const label = (members[0] as Member)[0];
    const key = String(storages.length);
    const storage = { key, label, source: range.source, dtype: isTyped ? first : undefined };
    storages.push(storage);
    for (const [index, [name, tensor]] of members.entries()) {
      placements.set(name, place(tensor, types[index] as TorchDType, storage, range.start, name, file));
    }
  }
  return { storages, placements };
}

/** Holds the place of a tensor until its storage is planned; every storage is. */
const pending = {} as Placement;

type Member = readonly [name: string, tensor: LazyTensor];

function groupByStorage(dict: TensorDict): readonly (readonly Member[])[] {
  const groups = new Map<unknown, Member[]>();
  for (const member of dict.tensors) {
    const { view, payload } = member[1];
    // The same payload under two names is one, too.
    const identity = view === undefined ? payload : view.storage;
    const group = groups.get(identity);
    if (group) group.push(member);
    else groups.set(identity, [member]);
  }
  return [...groups.values()];
}

/** The stretch of a storage that its tensors show; the rest is not carried along. */
function usedRange(members: readonly Member[]): { readonly source: ByteSource; readonly start: number } {
  const [[name, { view: first, payload }]] = members as [Member];
  if (first === undefined) return { source: payload, start: 0 };
  let lowest = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const [, { view }] of members) {
    if (view === undefined || view.end <= view.start) continue;
    lowest = Math.min(lowest, view.start);
    end = Math.max(end, view.end);
  }
  if (end === 0) return { source: section(first.source, 0, 0, name), start: 0 };
  // A multiple of every element's width, so that offsets stay whole.
  const start = Math.floor(lowest / 16) * 16;
  return { source: section(first.source, start, end, name), start };
}

function torchTypeOf(name: string, dtype: DType, file: string): TorchDType {
  const type = torchDTypeFor(dtype);
  if (type) return type;
  throw new ConvertError("unsupported", `PyTorch has no dtype for "${name}", which is ${dtype}`, {
    file,
    tensor: name,
  });
}

function place(
  tensor: LazyTensor,
  dtype: TorchDType,
  storage: PlannedStorage,
  start: number,
  name: string,
  file: string,
): Placement {
  const shape = torchShape(tensor.shape, dtype, name, file);
  const { view } = tensor;
  if (view === undefined || view.end === view.start) {
    return { storage, dtype, offset: 0, shape, strides: rowMajorStrides(shape) };
  }
  // Strides of packed elements may count what torch does not.
  const strides = dtype.packed > 1 && view.contiguous ? rowMajorStrides(shape) : view.strides;
  return { storage, dtype, offset: (view.start - start) / dtype.itemBytes, shape, strides };
}

/** Torch counts the bytes of a packed type; ours counts the elements in them. */
function torchShape(
  shape: readonly number[],
  { packed }: TorchDType,
  tensor: string,
  file: string,
): readonly number[] {
  if (packed === 1) return shape;
  const last = shape.at(-1) ?? 1;
  if (elementCount(shape, { file, tensor }) > 0 && roundUp(last, packed) !== last) {
    throw new ConvertError(
      "unsupported",
      `"${tensor}" has rows of ${last} packed elements, which torch cannot hold`,
      {
        file,
        tensor,
      },
    );
  }
  return [...shape.slice(0, -1), last / packed];
}
