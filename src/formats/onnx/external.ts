import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import type { InputFolder } from "../../core/sink.ts";
import { type ByteSource, section } from "../../core/source.ts";
import { type ExternalPlace, parsePlace } from "./location.ts";

/** Opens the files that a model points to, each once. */
export interface ExternalFiles {
  /**
   * The bytes of a tensor, `size` of them. Throws kind `unsafe` for a path that leaves the folder, `io` for a file that
   * is missing or too short, `malformed` where the place is of another size.
   */
  open(entries: ReadonlyMap<string, string>, size: number, site: ErrorSite): Promise<ExternalValues>;
}

/** Values in another file. */
export interface ExternalValues {
  readonly payload: ByteSource;
  /** Equal for tensors that share their bytes. */
  readonly storage: string;
}

/** `model` is the bare name of the file that the tensors belong to, which lies in `folder`. */
export function externalFiles(folder: InputFolder, model: string): ExternalFiles {
  const opened = new Map<string, ByteSource | undefined>();

  async function file(place: ExternalPlace, site: ErrorSite): Promise<ByteSource> {
    const { path } = place;
    if (!opened.has(path)) opened.set(path, await openBelow(folder, path, model));
    const source = opened.get(path);
    if (source) return source;
    throw new ConvertError("io", `"${site.tensor}" lies in the file "${path}", which is not there`, {
      ...site,
      hint: "put it where the model expects it, beside the model's file",
    });
  }

  return {
    async open(entries, size, site) {
      const place = parsePlace(entries, site);
      const { path, offset } = place;
      const storage = `${path}:${offset}`;
      // What has no bytes is nowhere; some writers name a file all the same that was never made.
      if (size === 0) return { payload: section(nothing, 0, 0, path), storage };
      const source = await file(place, site);
      const length = place.length ?? source.size - offset;
      if (offset + length > source.size || length < 0) {
        throw new ConvertError(
          "io",
          `"${site.tensor}" is said to end at byte ${offset + size} of "${path}", which has ${source.size}`,
          { ...site, hint: "the file is cut short, or belongs to another model" },
        );
      }
      if (length !== size) {
        throw new ConvertError(
          "malformed",
          `"${site.tensor}" takes ${size} bytes, but "${path}" is said to hold ${length} of it`,
          site,
        );
      }
      return { payload: section(source, offset, offset + size, `${source.name}#${site.tensor}`), storage };
    },
  };
}

const nothing: ByteSource = { name: "nothing", size: 0, readInto: async () => undefined };

/** A folder that knows no folders within it has files by bare names only. */
function openBelow(folder: InputFolder, path: string, model: string): Promise<ByteSource | undefined> {
  if (folder.openBelow) return folder.openBelow(path, model);
  return path.includes("/") ? Promise.resolve(undefined) : folder.open(path);
}
