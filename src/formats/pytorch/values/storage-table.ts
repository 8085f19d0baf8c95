import { isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";
import { type TorchDType, torchDTypeByStorageClass } from "./dtypes.ts";
import { host, type TorchStorage } from "./torch-values.ts";

/** What a persistent id says: `('storage', class, key, location, count)`, and more in a legacy stream. */
export interface StorageId {
  readonly key: string;
  /** `undefined` for an untyped storage. */
  readonly dtype: TorchDType | undefined;
  /** Bytes of the whole storage. */
  readonly bytes: number;
  /** The sixth item, where there is one. */
  readonly view: PickleValue | undefined;
}

/** Turns persistent ids into storages; the same key gives the same storage. */
export interface StorageTable {
  resolve(id: StorageId, site: ErrorSite): PickleHost;
}

/**
 * A table whose storages `open` finds, each once. Throws kind `malformed` where two ids of a key disagree. Typed and
 * untyped ids may share a key: newer dtypes have no typed storages, and a tensor may be viewed as one of them.
 */
export function createStorageTable(open: (id: StorageId, site: ErrorSite) => ByteSource): StorageTable {
  const known = new Map<string, KnownStorage>();

  function enter(id: StorageId, site: ErrorSite): KnownStorage {
    const entry: KnownStorage = { source: open(id, site), typed: undefined, untyped: undefined };
    known.set(id.key, entry);
    return entry;
  }

  return {
    resolve(id, site) {
      const entry = known.get(id.key) ?? enter(id, site);
      const { source } = entry;
      if (source.size !== id.bytes) {
        throw new ConvertError(
          "malformed",
          `storage "${id.key}" should have ${id.bytes} bytes, but it has ${source.size}`,
          site,
        );
      }
      if (id.dtype === undefined) {
        entry.untyped ??= host({ type: "storage", key: id.key, dtype: undefined, source });
        return entry.untyped;
      }
      entry.typed ??= host({ type: "storage", key: id.key, dtype: id.dtype, source });
      if ((entry.typed.value as TorchStorage).dtype !== id.dtype) {
        throw new ConvertError("malformed", `storage "${id.key}" is given two element types`, site);
      }
      return entry.typed;
    },
  };
}

interface KnownStorage {
  readonly source: ByteSource;
  typed: PickleHost | undefined;
  untyped: PickleHost | undefined;
}

/** Reads a persistent id of `length` items; throws kind `malformed` for anything else. */
export function parseStorageId(id: PickleValue, length: number, site: ErrorSite): StorageId {
  const items = isKind(id, "tuple") ? id.items : [];
  const [word, storageClass, key, , count, view] = items;
  const keyIsName = typeof key === "string" || typeof key === "number" || typeof key === "bigint";
  if (word !== "storage" || items.length !== length || !keyIsName || typeof count !== "number" || count < 0) {
    throw new ConvertError("malformed", "the pickle refers to something that is no storage", site);
  }
  const dtype = storageDType(storageClass, site);
  return { key: String(key), dtype, bytes: count * (dtype?.itemBytes ?? 1), view };
}

/** The class's module varies between releases (torch, torch.cuda, torch.storage), and only its name counts. */
export function storageDType(storageClass: PickleValue | undefined, site: ErrorSite): TorchDType | undefined {
  const name = isKind(storageClass, "global") ? storageClass.name : "nothing";
  if (name === "UntypedStorage" || name === "_UntypedStorage") return undefined;
  const dtype = torchDTypeByStorageClass.get(name);
  if (dtype) return dtype;
  throw new ConvertError("unsupported", `the pickle has storages of the class ${name}, which are not read`, {
    ...site,
    hint: /^QU?Int/.test(name) ? "save what the tensor's dequantize() gives" : undefined,
  });
}

/** A storage key as text. Anything but a string or a number is no key, and may be long: it is not spelled out. */
export function keyName(value: PickleValue | undefined): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint"
    ? String(value)
    : "?";
}
