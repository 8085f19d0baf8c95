import { encodeUtf8 } from "../bytes/utf8.ts";
import { isJsonObject, type JsonValue, parseJson } from "../containers/json/parse.ts";
import { ConvertError } from "../core/errors.ts";

/** What an index file says: which file holds which tensor, in order. */
export interface ShardIndex {
  readonly weightMap: ReadonlyMap<string, string>;
  /** Strings of its `metadata`; the sizes in there are recounted, not kept. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What it says of the bytes of all tensors, where it does; older tools write it as a float. */
  readonly totalBytes?: number | undefined;
}

/** The index as `huggingface_hub` writes it, byte for byte: two spaces, ASCII only, no last line feed. */
export function writeShardIndex(index: ShardIndex, totalBytes: number): Uint8Array {
  const metadata: Record<string, string | number> = { total_size: totalBytes };
  const lines = [
    "{",
    '  "metadata": {',
    ...members([...Object.entries(metadata), ...index.metadata]),
    "  },",
    '  "weight_map": {',
    ...members([...index.weightMap]),
    "  }",
    "}",
  ];
  return encodeUtf8(lines.join("\n"));
}

function members(entries: readonly (readonly [string, string | number])[]): string[] {
  return entries.map(([key, value], index) => {
    const comma = index < entries.length - 1 ? "," : "";
    return `    ${asciiJson(key)}: ${asciiJson(value)}${comma}`;
  });
}

/** JSON text in ASCII, as Python's json module writes it by default. */
function asciiJson(value: string | number): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Reads an index; throws kind `malformed` where it is none, `unsafe` where a shard would lie outside its folder. */
export function parseShardIndex(bytes: Uint8Array, file: string): ShardIndex {
  const root = parseJson(bytes, file, 0);
  const weightMap = isJsonObject(root) ? root.get("weight_map") : undefined;
  if (!isJsonObject(root) || !isJsonObject(weightMap)) {
    throw new ConvertError("malformed", 'this JSON is no index: it has no "weight_map" object', { file });
  }
  const checked = new Map<string, string>();
  for (const [tensor, shard] of weightMap) checked.set(tensor, checkShardName(shard, tensor, file));
  const metadata = root.get("metadata");
  return { weightMap: checked, metadata: stringsOf(metadata), totalBytes: totalOf(metadata) };
}

function checkShardName(shard: JsonValue, tensor: string, file: string): string {
  if (typeof shard !== "string") {
    throw new ConvertError("malformed", `the index names no file for "${tensor}"`, { file, tensor });
  }
  // Drive letters, separators of both kinds, control characters, "." and "..": none is a bare name.
  if (!/^[^/\\:\p{Cc}]+$/u.test(shard) || shard === "." || shard === "..") {
    throw new ConvertError(
      "unsafe",
      `the index points at ${JSON.stringify(shard)}, which is no bare file name`,
      {
        file,
        tensor,
        hint: "shards must lie beside their index",
      },
    );
  }
  return shard;
}

function stringsOf(metadata: JsonValue | undefined): Map<string, string> {
  const strings = new Map<string, string>();
  if (!isJsonObject(metadata)) return strings;
  for (const [key, value] of metadata) if (typeof value === "string") strings.set(key, value);
  return strings;
}

function totalOf(metadata: JsonValue | undefined): number | undefined {
  const total = isJsonObject(metadata) ? metadata.get("total_size") : undefined;
  if (typeof total === "number") return total;
  return total !== null && typeof total === "object" && "text" in total ? Number(total.text) : undefined;
}
