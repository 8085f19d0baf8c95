/** `model-00002-of-00005.safetensors`: numbers start at 1, five digits, as every loader of the Hub expects. */
export function shardName(stem: string, extension: string, number: number, count: number): string {
  return `${stem}-${digits(number)}-of-${digits(count)}${extension}`;
}

/**
 * `model.safetensors.index.json` for shards of `model.safetensors`. A variant, which stands at the end of a stem, goes
 * before the last extension: `model.safetensors.index.fp16.json`.
 */
export function indexName(stem: string, extension: string, variant?: string): string {
  if (variant === undefined) return `${stem}${extension}.index.json`;
  return `${stem.slice(0, -variant.length - 1)}${extension}.index.${variant}.json`;
}

/** Whether a file is named like an index of shards with such an extension, of a variant or none. */
export function isIndexName(name: string, extension: string): boolean {
  const parts = /^.*(\.[^.]+)\.index(?:\.[\w-]+)?\.json$/.exec(name);
  return parts?.[1] === extension;
}

/** Stems that loaders look for by themselves, and that a conversion keeps: components of diffusers, PEFT's adapters, LoRA weights. */
const keptStems = ["diffusion_pytorch_model", "adapter_model", "pytorch_lora_weights"];

/** The stem that files in a folder get where the name of the input asks for one of its own. */
export function keptStem(inputName: string): string | undefined {
  return keptStems.find((stem) => inputName.startsWith(`${stem}.`) || inputName.startsWith(`${stem}-`));
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
