import { readUint64 } from "../../../bytes/size.ts";
import {
  createPickleMachine,
  type PickleHandlers,
  type PickleRun,
} from "../../../containers/pickle/machine.ts";
import { isGlobal, isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits.ts";
import { type ByteSource, bytesSource, section } from "../../../core/source.ts";
import { bytesOf } from "../values/python-values.ts";
import { createStorageTable, keyName, parseStorageId } from "../values/storage-table.ts";
import { asStorage, asStreamBytes, host } from "../values/torch-values.ts";
import { createDeferredSource, type DeferredSource } from "./deferred-source.ts";

/**
 * The storage in the argument of `torch.storage._load_from_bytes`: a whole legacy stream within a pickle, as `pickle.dump`
 * of a tensor leaves it (FORMAT.md, "Bare pickles"). Throws kind `malformed` for anything else.
 */
export function nestedStorage(args: PickleValue, limits: Limits, site: ErrorSite): PickleHost {
  const argument = isKind(args, "tuple") ? args.items[0] : undefined;
  const left = asStreamBytes(argument);
  if (left !== undefined) return left.storage;
  // The same bytes, recalled from the memo, are the same storage, and are not read again.
  const known = typeof argument === "object" && argument !== null ? storages.get(argument) : undefined;
  if (known) return known;
  const bytes = bytesOf(argument);
  if (bytes === undefined) throw new ConvertError("malformed", "_load_from_bytes is given no bytes", site);
  const { storage } = readStream(bytes, bytesSource(nameOf(site), bytes), limits, site);
  storages.set(argument as object, storage);
  return storage;
}

const storages = new WeakMap<object, PickleHost>();

/**
 * What stands for a stream that is about to be handed to `_load_from_bytes`, its elements left in `source`; `undefined` where it
 * is none, or has more in front of its elements than is at hand.
 */
export function nestedPayload(
  { offset, length, isText, head }: PickleRun,
  nearest: PickleValue | undefined,
  source: ByteSource,
  limits: Limits,
): PickleHost | undefined {
  if (isText || !isGlobal(nearest, "torch.storage", "_load_from_bytes")) return undefined;
  const site = { file: source.name, offset };
  const first = head();
  try {
    const stream = section(source, offset, offset + length, nameOf(site));
    const { storage, pickleBytes } = readStream(first, stream, limits, site);
    return host({ type: "stream-bytes", head: first.subarray(0, pickleBytes), storage });
  } catch (error) {
    // Whatever is wrong is told once all of it is read.
    if (error instanceof ConvertError) return undefined;
    throw error;
  }
}

function nameOf(site: ErrorSite): string {
  return `${site.file}@${site.offset}`;
}

/** Reads the pickles of a stream from `head`, the first of its bytes; `pickleBytes` is where its elements begin. */
function readStream(
  head: Uint8Array,
  stream: ByteSource,
  limits: Limits,
  site: ErrorSite,
): { readonly storage: PickleHost; readonly pickleBytes: number } {
  const name = nameOf(site);
  const roots = new Map<string, DeferredSource>();
  const table = createStorageTable((id, at) => {
    const source = createDeferredSource(`${name}#${id.key}`, id.bytes, at);
    roots.set(id.key, source);
    return source;
  });
  let at = 0;
  const next = (handlers: PickleHandlers = {}): PickleValue => {
    const machine = createPickleMachine(name, handlers, limits);
    at += machine.run(head.subarray(at), at);
    if (machine.result === undefined)
      throw new ConvertError("malformed", "a stream within the pickle is cut short", site);
    return machine.result.value;
  };
  for (const _header of ["magic number", "version", "machine"]) next();
  const object = next({
    persistent: (id, offset) => table.resolve(parseStorageId(id, 6, site), { file: name, offset }),
  });
  const keys = next();
  const pickleBytes = at;
  for (const key of isKind(keys, "list") ? keys.items : [])
    at = bind(roots.get(keyName(key)), head, stream, at, site);
  const storage = asStorage(object);
  if (storage === undefined)
    throw new ConvertError("malformed", "a stream within the pickle holds no storage", site);
  // Every stream numbers its storages anew, so the key alone would tie strangers together.
  return { storage: host({ ...storage, key: `${name}#${storage.key}` }), pickleBytes };
}

function bind(
  root: DeferredSource | undefined,
  head: Uint8Array,
  stream: ByteSource,
  at: number,
  site: ErrorSite,
): number {
  const start = at + 8;
  if (root === undefined || start > head.length || start + root.size > stream.size) {
    throw new ConvertError("malformed", "a stream within the pickle is cut short", site);
  }
  const count = readUint64(new DataView(head.buffer, head.byteOffset + at, 8), 0);
  if (count === undefined || (root.size > 0 && root.size % Math.max(1, count) !== 0)) {
    throw new ConvertError("malformed", "a storage within the pickle is of another size than it says", site);
  }
  root.bind(section(stream, start, start + root.size, root.name));
  return start + root.size;
}
