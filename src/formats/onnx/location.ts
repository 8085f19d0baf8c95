import { ConvertError, type ErrorSite } from "../../core/errors.ts";

/** Where the values of a tensor lie outside the model's file. */
export interface ExternalPlace {
  /** A relative path with slashes, checked: it names something in the folder of the model or below. */
  readonly path: string;
  readonly offset: number;
  /** `undefined` for up to the end of the file. */
  readonly length: number | undefined;
}

/** Names of ONNX Runtime for values that lie in the memory of a process. */
const memoryAddress = "*/_ORT_MEM_ADDR_/*";

/**
 * Checks what a file says of external data (FORMAT.md, "External data"), as far as words can tell; links are the
 * business of whoever opens it. Throws kind `unsafe` for a path that leaves the folder, `malformed` for other nonsense.
 */
export function parsePlace(entries: ReadonlyMap<string, string>, site: ErrorSite): ExternalPlace {
  const location = entries.get("location") ?? "";
  if (location === "")
    throw new ConvertError("malformed", `"${site.tensor}" lies in another file, which is not named`, site);
  const why = unsafePath(location);
  if (why !== undefined) {
    throw new ConvertError(
      "unsafe",
      `"${site.tensor}" is said to lie in ${JSON.stringify(location)}, which ${why}`,
      site,
    );
  }
  const offset = parseCount(entries.get("offset"), "offset", site) ?? 0;
  const length = parseCount(entries.get("length"), "length", site);
  const path = location
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  return { path, offset, length };
}

/** Why a path is not to be followed, as the end of a sentence. */
function unsafePath(path: string): string | undefined {
  if (path.includes(memoryAddress)) return "is an address in memory";
  if (path.includes("\0")) return "holds a zero character";
  if (path.includes("\\")) return "has a backslash";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return "is an absolute path";
  const parts = path.split("/");
  if (parts.includes("..")) return "leads up";
  return parts.every((part) => part === "" || part === ".") || path.endsWith("/") ? "is no file" : undefined;
}

/** A decimal number that is not negative, as ONNX writes it into a string. */
function parseCount(text: string | undefined, what: string, site: ErrorSite): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new ConvertError(
    "malformed",
    `the ${what} of "${site.tensor}" in its file is ${JSON.stringify(text.slice(0, 40))}`,
    site,
  );
}
