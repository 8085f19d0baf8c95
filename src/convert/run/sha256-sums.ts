import { decodeUtf8, encodeUtf8 } from "../../bytes/utf8.ts";
import { ConvertError } from "../../core/errors.ts";

/** The usual name of a list of hashes. */
export const sumsName = "SHA256SUMS";

/** The list as `sha256sum` writes and checks it: sorted by name, hexadecimal, two spaces; names with a line feed or a backslash are escaped as there. */
export function writeSums(hashes: ReadonlyMap<string, string>): Uint8Array {
  const sorted = [...hashes].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeUtf8(sorted.map(([name, hash]) => line(name, hash)).join(""));
}

/** Bytes of the list of these files, which do not depend on their hashes. */
export function sumsSize(names: readonly string[]): number {
  return writeSums(new Map(names.map((name) => [name, "0".repeat(64)]))).length;
}

function line(name: string, hash: string): string {
  const escaped = name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `${escaped === name ? "" : "\\"}${hash}  ${escaped}\n`;
}

/** Names with their hashes, in lower case. Reads both modes of `sha256sum`, and skips empty lines and comments. Throws kind `malformed`. */
export function parseSums(bytes: Uint8Array, file: string): ReadonlyMap<string, string> {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ConvertError("malformed", "the list of hashes is not UTF-8", { file });
  const hashes = new Map<string, string>();
  for (const [index, content] of text.split(/\r?\n/).entries()) {
    if (content === "" || content.startsWith("#")) continue;
    const parts = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/.exec(content);
    if (parts === null) {
      throw new ConvertError("malformed", `line ${index + 1} of the list is no SHA-256 with a name`, {
        file,
      });
    }
    const [, escaped, hash, name] = parts as unknown as [string, string, string, string];
    hashes.set(escaped === "" ? name : unescaped(name), hash.toLowerCase());
  }
  return hashes;
}

function unescaped(name: string): string {
  return name.replace(/\\([\\nr])/g, (_, letter: string) => ({ n: "\n", r: "\r" })[letter] ?? "\\");
}
