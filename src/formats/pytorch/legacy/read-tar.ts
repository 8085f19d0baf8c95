import { readUint64 } from "../../../bytes/size.ts";
import { readPickle } from "../../../containers/pickle/read.ts";
import { isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import { readTarArchive } from "../../../containers/tar/archive.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Checkpoint } from "../../../core/dict.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type ByteSource, readBytes, section } from "../../../core/source.ts";
import { checkpointOf } from "../objects/checkpoint.ts";
import { rebuildCall } from "../values/rebuild.ts";
import { keyName, storageDType } from "../values/storage-table.ts";
import { host, type TorchStorage } from "../values/torch-values.ts";

/** Tensors and storages by the number that the object's pickle calls them. */
export type TarObjects = Map<string, PickleHost>;

/** Reads the tar of releases before 0.1.10: storages, tensors and the object in a member each (FORMAT.md, "Tar"). */
export async function readTar(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  const members = await readTarArchive(source, context);
  const [storages, tensors, object] = ["storages", "tensors", "pickle"].map((name) => members.get(name));
  if (storages === undefined || tensors === undefined || object === undefined) {
    throw new ConvertError(
      "unsupported",
      "this tar archive is no PyTorch file: it lacks its storages, tensors or pickle",
      {
        file: source.name,
        hint: "if the checkpoint lies inside it, unpack it first",
      },
    );
  }
  const objects: TarObjects = new Map();
  await readStorages(storages, objects, context);
  await readTensors(tensors, objects, context);
  const file = object.name;
  const { value } = await readPickle(
    object,
    0,
    {
      persistent(id, offset) {
        // A module's class comes as a tuple with its source text, which is of no use here.
        if (isKind(id, "tuple")) return id.items[0];
        const known = objects.get(keyName(id));
        if (known) return known;
        throw new ConvertError(
          "malformed",
          `the pickle refers to object ${keyName(id)}, which is not there`,
          {
            file,
            offset,
          },
        );
      },
      call: (callable, args, offset) => rebuildCall(callable, args, file, offset, context),
    },
    context,
  );
  return checkpointOf("tar", value, source.name, context);
}

/** Reads the member that holds the storages: pickles with raw bytes between them. */
export async function readStorages(
  member: ByteSource,
  objects: TarObjects,
  context: RunContext,
): Promise<void> {
  const file = member.name;
  const at = await readCounted(member, context, async ([key, , storageClass], end, site) => {
    const dtype = storageDType(storageClass, site);
    const [count] = await readSizes(member, end, 1, context);
    const start = end + 8;
    const bytes = (count as number) * (dtype?.itemBytes ?? 1);
    const data = section(member, start, start + bytes, `${file}#${keyName(key)}`);
    objects.set(keyName(key), host({ type: "storage", key: keyName(key), dtype, source: data }));
    return start + bytes;
  });
  const { value } = await readPickle(member, at, {}, context);
  for (const view of isKind(value, "list") ? value.items : []) addView(view, objects, file, at);
}

/** A storage that is a slice of another: `(its key, the other's key, offset, count)` in elements. */
function addView(view: PickleValue, objects: TarObjects, file: string, offset: number): void {
  const [key, rootKey, start, count] = isKind(view, "tuple") ? view.items : [];
  const root = objects.get(keyName(rootKey))?.value as TorchStorage | undefined;
  if (root?.type !== "storage" || typeof start !== "number" || typeof count !== "number") {
    throw new ConvertError("malformed", "a slice of a storage is broken", { file, offset });
  }
  const width = root.dtype?.itemBytes ?? 1;
  const source = section(root.source, start * width, (start + count) * width, `${file}#${keyName(key)}`);
  objects.set(keyName(key), host({ ...root, key: `${root.key}@${start}+${count}`, source }));
}

/** Reads the member that describes the tensors, once the storages are in `objects`. */
export async function readTensors(
  member: ByteSource,
  objects: TarObjects,
  context: RunContext,
): Promise<void> {
  await readCounted(member, context, async ([key, storageKey], end, site) => {
    const storage = objects.get(keyName(storageKey))?.value as TorchStorage | undefined;
    if (storage?.type !== "storage" || storage.dtype === undefined) {
      throw new ConvertError("malformed", `tensor ${keyName(key)} has no storage`, site);
    }
    const [rank] = await readSizes(member, end, 1, context, 4);
    checkLimit(context.limits, "headerBytes", (rank as number) * 16, "a tensor's number of dimensions", site);
    const numbers = await readSizes(member, end + 8, 2 * (rank as number) + 1, context);
    const shape = numbers.slice(0, rank);
    const strides = numbers.slice(rank, -1);
    const offset = numbers.at(-1) as number;
    objects.set(
      keyName(key),
      host({ type: "tensor", storage, dtype: storage.dtype, offset, shape, strides }),
    );
    return end + 8 + numbers.length * 8;
  });
}

/**
 * Reads a member that is a count and as many entries: a pickled tuple each, and bytes behind it, of which `read` tells
 * the end. Returns the end of the last.
 */
async function readCounted(
  member: ByteSource,
  context: RunContext,
  read: (tuple: readonly PickleValue[], end: number, site: ErrorSite) => Promise<number>,
): Promise<number> {
  const head = await readCount(member, context);
  let at = head.end;
  for (let index = 0; index < head.count; index++) {
    const { value, end } = await readPickle(member, at, {}, context);
    at = await read(isKind(value, "tuple") ? value.items : [], end, { file: member.name, offset: at });
  }
  return at;
}

async function readCount(member: ByteSource, context: RunContext): Promise<{ count: number; end: number }> {
  const { value, end } = await readPickle(member, 0, {}, context);
  const site = { file: member.name, offset: 0 };
  if (typeof value !== "number" || value < 0)
    throw new ConvertError("malformed", "the member does not start with a count", site);
  checkLimit(context.limits, "entries", value, "the number of objects in the tar", site);
  return { count: value, end };
}

/** Little-endian numbers of `width` bytes, each at most what a double holds exactly. */
async function readSizes(
  member: ByteSource,
  start: number,
  count: number,
  context: RunContext,
  width = 8,
): Promise<number[]> {
  const bytes = await readBytes(member, start, start + count * width, context);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, index) => {
    const value = width === 4 ? view.getUint32(index * 4, true) : readUint64(view, index * 8);
    if (value !== undefined) return value;
    throw new ConvertError("malformed", "a size is larger than any file", {
      file: member.name,
      offset: start + index * 8,
    });
  });
}
