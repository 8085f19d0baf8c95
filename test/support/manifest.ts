import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "./files.ts";

/** A tensor as the real torch or safetensors sees it; fixtures/README.md explains the fields. */
export interface ManifestTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly sha256: string;
  readonly storage?: string;
  readonly quantized?: { readonly integers: { readonly sha256: string }; readonly scale?: number };
}

/** A file that the reference wrote. */
export interface ReferenceFile {
  readonly sha256: string | null;
  readonly headerSortedSha256?: string;
  readonly bytes: number;
  readonly dropped: Readonly<Record<string, string>>;
}

/** Shards that the reference wrote. */
export interface ReferenceShards {
  readonly maxShardSize: number;
  readonly files: readonly {
    readonly name: string;
    readonly sha256: string;
    readonly headerSortedSha256?: string;
  }[];
  readonly indexSha256: string | null;
}

/** What the reference writes for a state dict. */
export interface ReferenceOutputs {
  readonly single: ReferenceFile;
  readonly sharded: readonly ReferenceShards[];
  readonly copied?: ReferenceFile;
  readonly keepEmbedding?: { readonly single: ReferenceFile; readonly sharded: readonly ReferenceShards[] };
}

/** The facts of one state dict. */
export interface ManifestDict {
  readonly tensors: readonly ManifestTensor[];
  readonly others?: readonly string[];
  readonly otherTensors?: readonly Pick<ManifestTensor, "quantized">[];
  readonly outputs?: ReferenceOutputs;
  readonly metadata?: Readonly<Record<string, string>> | null;
}

/** A row of the manifest. */
export interface ManifestRow extends ManifestDict {
  readonly file: string;
  readonly sha256: string;
  readonly format: "pytorch" | "safetensors" | "safetensors-index";
  readonly container?: string;
  readonly select?: string;
  readonly ambiguous?: readonly string[];
  readonly selections?: Readonly<Record<string, ManifestDict>>;
  readonly arrays?: readonly { readonly path: string; readonly sha256: string }[];
}

/** Every row of fixtures/more.json: the less usual kinds of PyTorch files. */
export const unusual = JSON.parse(
  readFileSync(join(fixtures, "more.json"), "utf8"),
) as readonly ManifestRow[];

/** Every row of fixtures/manifest.json. */
export const manifest = JSON.parse(
  readFileSync(join(fixtures, "manifest.json"), "utf8"),
) as readonly ManifestRow[];

/** Rows of one format. */
export function rowsOf(format: ManifestRow["format"]): readonly ManifestRow[] {
  return manifest.filter((row) => row.format === format);
}

/** The state dicts of a row with the path that selects each; `undefined` where none has to be selected. */
export function dictsOf(
  row: ManifestRow,
): readonly (readonly [select: string | undefined, dict: ManifestDict])[] {
  return row.selections ? Object.entries(row.selections) : [[undefined, row]];
}
