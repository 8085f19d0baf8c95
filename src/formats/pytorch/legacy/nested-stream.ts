import { readUint64 } from "../../../bytes/size.ts";
import { createPickleMachine, type PickleHandlers } from "../../../containers/pickle/machine.ts";
import { isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import type { Limits } from "../../../core/limits.ts";
import { bytesSource, section } from "../../../core/source.ts";
import { bytesOf } from "../values/python-values.ts";
import { createStorageTable, keyName, parseStorageId } from "../values/storage-table.ts";
import { asStorage, host } from "../values/torch-values.ts";
import { createDeferredSource, type DeferredSource } from "./deferred-source.ts";

/**
 * The storage in the argument of `torch.storage._load_from_bytes`: a whole legacy stream within a pickle, as `pickle.dump`
 * of a tensor leaves it (FORMAT.md, "Bare pickles"). It is in memory already. Throws kind `malformed` for anything else.
 */
export function nestedStorage(args: PickleValue, limits: Limits, site: ErrorSite): PickleHost {
  const argument = isKind(args, "tuple") ? args.items[0] : undefined;
  // The same bytes, recalled from the memo, are the same storage, and are not read again.
  const known = typeof argument === "object" && argument !== null ? storages.get(argument) : undefined;
  if (known) return known;
  const bytes = bytesOf(argument);
  if (bytes === undefined) throw new ConvertError("malformed", "_load_from_bytes is given no bytes", site);
  const made = readStream(bytes, limits, site);
  storages.set(argument as object, made);
  return made;
}

const storages = new WeakMap<object, PickleHost>();

function readStream(bytes: Uint8Array, limits: Limits, site: ErrorSite): PickleHost {
  const name = `${site.file}@${site.offset}`;
  const roots = new Map<string, DeferredSource>();
  const table = createStorageTable((id, at) => {
    const source = createDeferredSource(`${name}#${id.key}`, id.bytes, at);
    roots.set(id.key, source);
    return source;
  });
  let at = 0;
  const next = (handlers: PickleHandlers = {}): PickleValue => {
    const machine = createPickleMachine(name, handlers, limits);
    at += machine.run(bytes.subarray(at), at);
    if (machine.result === undefined)
      throw new ConvertError("malformed", "a stream within the pickle is cut short", site);
    return machine.result.value;
  };
  for (const _header of ["magic number", "version", "machine"]) next();
  const object = next({
    persistent: (id, offset) => table.resolve(parseStorageId(id, 6, site), { file: name, offset }),
  });
  const keys = next();
  for (const key of isKind(keys, "list") ? keys.items : [])
    at = bind(roots.get(keyName(key)), bytes, at, name, site);
  const storage = asStorage(object);
  if (storage === undefined)
    throw new ConvertError("malformed", "a stream within the pickle holds no storage", site);
  // Every stream numbers its storages anew, so the key alone would tie strangers together.
  return host({ ...storage, key: `${name}#${storage.key}` });
}

function bind(
  root: DeferredSource | undefined,
  bytes: Uint8Array,
  at: number,
  name: string,
  site: ErrorSite,
): number {
  const start = at + 8;
  if (root === undefined || start + root.size > bytes.length) {
    throw new ConvertError("malformed", "a stream within the pickle is cut short", site);
  }
  const count = readUint64(new DataView(bytes.buffer, bytes.byteOffset + at, 8), 0);
  if (count === undefined || (root.size > 0 && root.size % Math.max(1, count) !== 0)) {
    throw new ConvertError("malformed", "a storage within the pickle is of another size than it says", site);
  }
  root.bind(section(bytesSource(name, bytes), start, start + root.size, root.name));
  return start + root.size;
}
