/** `model-00002-of-00005.safetensors`: numbers start at 1, five digits, as every loader of the Hub expects. */
export function shardName(stem: string, extension: string, number: number, count: number): string {
  return `${stem}-${digits(number)}-of-${digits(count)}${extension}`;
}

/** `model.safetensors.index.json` for shards of `model.safetensors`. */
export function indexName(stem: string, extension: string): string {
  return `${stem}${extension}.index.json`;
}

/** What a shard's name says of it; `undefined` for other names. */
export function parseShardName(
  name: string,
):
  | { readonly stem: string; readonly extension: string; readonly number: number; readonly count: number }
  | undefined {
  const parts = /^(.*)-(\d{5})-of-(\d{5})(\.[^./\\]+)$/.exec(name);
  if (parts === null) return undefined;
  const [, stem, number, count, extension] = parts as unknown as [string, string, string, string, string];
  return { stem, extension, number: Number(number), count: Number(count) };
}

function digits(number: number): string {
  return String(number).padStart(5, "0");
}
