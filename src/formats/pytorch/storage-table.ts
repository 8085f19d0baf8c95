import { isKind, type PickleHost, type PickleValue } from "../../containers/pickle/values.ts";
import { ConvertError } from "../../core/errors.ts";
import { type TorchDType, torchDTypeByStorageClass } from "./dtypes.ts";
import type { RecordFolder } from "./records.ts";
import { host, type TorchStorage } from "./torch-values.ts";

/** Turns persistent ids into storages; the same key gives the same storage. */
export interface StorageTable {
  resolve(id: PickleValue, site: { readonly file: string; readonly offset: number }): PickleHost;
}

/** What a persistent id says: `('storage', class, key, location, count)`. */
interface StorageId {
  readonly key: string;
  readonly dtype: TorchDType | undefined;
  /** Elements of the whole storage; bytes for an untyped one. */
  readonly count: number;
}

/** Storages of a zip archive: `data/<key>` holds exactly the bytes that the persistent id counts. */
export function createStorageTable(records: RecordFolder): StorageTable {
  const known = new Map<string, PickleHost>();
  return {
    resolve(id, site) {
      const { key, dtype, count } = parseStorageId(id, site);
      const bytes = count * (dtype?.itemBytes ?? 1);
      const earlier = known.get(key);
      const source = earlier ? (earlier.value as TorchStorage).source : records.find(`data/${key}`);
      if (source === undefined) {
        throw new ConvertError(
          "malformed",
          `the pickle refers to storage "${key}", but there is no record data/${key}`,
          site,
        );
      }
      if (source.size !== bytes) {
        throw new ConvertError(
          "malformed",
          `storage "${key}" should have ${bytes} bytes, but its record has ${source.size}`,
          site,
        );
      }
      if (earlier && (earlier.value as TorchStorage).dtype === dtype) return earlier;
      if (earlier) {
        throw new ConvertError("malformed", `storage "${key}" is given two element types`, site);
      }
      const storage = host({ type: "storage", key, dtype, source } satisfies TorchStorage);
      known.set(key, storage);
      return storage;
    },
  };
}

function parseStorageId(
  id: PickleValue,
  site: { readonly file: string; readonly offset: number },
): StorageId {
  const items = isKind(id, "tuple") ? id.items : [];
  const [word, storageClass, key, , count] = items;
  const keyIsName = typeof key === "string" || typeof key === "number";
  const countIsSize = typeof count === "number" && count >= 0;
  if (
    word !== "storage" ||
    items.length !== 5 ||
    !isKind(storageClass, "global") ||
    !keyIsName ||
    !countIsSize
  ) {
    throw new ConvertError("malformed", "the pickle refers to something that is no storage", site);
  }
  // The class's module varies between releases (torch, torch.cuda, torch.storage), and only its name counts.
  if (storageClass.name === "UntypedStorage") return { key: String(key), dtype: undefined, count };
  const dtype = torchDTypeByStorageClass.get(storageClass.name);
  if (dtype === undefined) {
    throw new ConvertError(
      "unsupported",
      `the pickle has storages of the class ${storageClass.name}, which are not read`,
      site,
    );
  }
  return { key: String(key), dtype, count };
}
