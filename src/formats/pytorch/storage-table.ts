import { isKind, type PickleHost, type PickleValue } from "../../containers/pickle/values.ts";
import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import { type TorchDType, torchDTypeByStorageClass } from "./dtypes.ts";
import type { RecordFolder } from "./records.ts";
import { host, type TorchStorage } from "./torch-values.ts";

/** Turns persistent ids into storages; the same key gives the same storage. */
export interface StorageTable {
  resolve(id: PickleValue, offset: number): PickleHost;
}

/** Storages of a zip archive: `data/<key>` holds exactly the bytes that the persistent id counts. */
export function createStorageTable(records: RecordFolder, file: string): StorageTable {
  const known = new Map<string, { readonly storage: TorchStorage; readonly host: PickleHost }>();

  function open(key: string, dtype: TorchDType | undefined, site: ErrorSite) {
    const source = records.find(`data/${key}`);
    if (source === undefined) {
      throw new ConvertError(
        "malformed",
        `the pickle refers to storage "${key}", but there is no record data/${key}`,
        site,
      );
    }
    const storage: TorchStorage = { type: "storage", key, dtype, source };
    const entry = { storage, host: host(storage) };
    known.set(key, entry);
    return entry;
  }

  return {
    resolve(id, offset) {
      const site = { file, offset };
      const [word, storageClass, keyValue, , count, ...more] = isKind(id, "tuple") ? id.items : [];
      const keyIsName = typeof keyValue === "string" || typeof keyValue === "number";
      if (word !== "storage" || !keyIsName || !isSize(count) || more.length > 0) {
        throw new ConvertError("malformed", "the pickle refers to something that is no storage", site);
      }
      const key = String(keyValue);
      const dtype = storageDType(storageClass, site);
      const { storage, host } = known.get(key) ?? open(key, dtype, site);
      const bytes = count * (dtype?.itemBytes ?? 1);
      if (storage.source.size !== bytes) {
        throw new ConvertError(
          "malformed",
          `storage "${key}" should have ${bytes} bytes, but its record has ${storage.source.size}`,
          site,
        );
      }
      if (storage.dtype !== dtype) {
        throw new ConvertError("malformed", `storage "${key}" is given two element types`, site);
      }
      return host;
    },
  };
}

/** The class's module varies between releases (torch, torch.cuda, torch.storage), and only its name counts. */
function storageDType(storageClass: PickleValue | undefined, site: ErrorSite): TorchDType | undefined {
  const name = isKind(storageClass, "global") ? storageClass.name : "nothing";
  if (name === "UntypedStorage") return undefined;
  const dtype = torchDTypeByStorageClass.get(name);
  if (dtype) return dtype;
  throw new ConvertError(
    "unsupported",
    `the pickle has storages of the class ${name}, which are not read`,
    site,
  );
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}
