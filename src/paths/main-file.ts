import type { Notice } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import { isIndexName, parseShardName } from "../shards/naming.ts";

/** What loaders look for by themselves. */
const usualNames =
  /^(model|pytorch_model|diffusion_pytorch_model|adapter_model)\.(safetensors|bin|pth|pt|ckpt|onnx)(\.index\.json)?$/;

/** What they take when asked for a variant. */
const variants = /^(model|pytorch_model|diffusion_pytorch_model|adapter_model)\./;

/** Names the parts of a distributed checkpoint and which bytes are where; other files of training often lie beside it. */
const distributedMetadata = ".metadata";

/** In the order of the Hub's loaders: safetensors before pickles, and of each kind an index before a single file. */
const preferences: readonly ((name: string) => boolean)[] = [
  (name) => isIndexName(name, ".safetensors"),
  (name) => name.endsWith(".safetensors"),
  (name) => isIndexName(name, ".bin"),
  (name) => name === distributedMetadata,
  (name) => name.endsWith(".bin"),
  // DeepSpeed: the model of its one model-parallel rank, in ZeRO stage 3 that of the first of its ranks; their reader finds
  // the files of the other ranks, and those of the optimizer.
  (name) => /^mp_rank_\d+_model_states\.pt$/.test(name),
  (name) => /^zero_pp_rank_0_mp_rank_\d+_model_states\.pt$/.test(name),
  (name) => /\.(pth|pt|ckpt)$/.test(name),
  (name) => name.endsWith(".onnx"),
];

/** Whether a folder has a model where loaders look for it by themselves. */
export function hasUsualModel(names: readonly string[]): boolean {
  return names.some((name) => usualNames.test(name) || variants.test(name) || name.endsWith(".safetensors"));
}

/** The file that stands for the model in a folder, of the sorted names there; `folder` is what a person calls it. */
export function mainFile(
  names: readonly string[],
  folder: string,
  onNotice: (notice: Notice) => void,
): string {
  for (const prefers of preferences) {
    const found = names.filter(
      (name) => prefers(name) && (!name.startsWith(".") || name === distributedMetadata),
    );
    const [first] = found;
    if (first === undefined) continue;
    const usual = found.find((name) => usualNames.test(name)) ?? found.find((name) => variants.test(name));
    if (found.length > 1 && usual === undefined) refuseChoice(found, folder);
    const chosen = usual ?? first;
    warnOfHidden(chosen, names, onNotice);
    return chosen;
  }
  if (names.some((name) => name.endsWith(".distcp"))) {
    throw new ConvertError(
      "io",
      "the folder holds parts of a distributed checkpoint, but not its .metadata",
      {
        file: folder,
        hint: "copy that file too; some tools leave out names that start with a dot",
      },
    );
  }
  if (names.includes("latest")) {
    throw new ConvertError("io", "the folder holds no model itself, but checkpoints of DeepSpeed", {
      file: folder,
      hint: "give the folder within that the file latest names",
    });
  }
  throw new ConvertError("io", "the folder holds no model", {
    file: folder,
    hint: "expected .safetensors, .bin, .pth, .pt, .ckpt or .onnx files, or an index of them",
  });
}

function refuseChoice(found: readonly string[], folder: string): never {
  if (found.every((name) => /^(zero_pp_rank_\d+_)?mp_rank_\d+_/.test(name))) {
    throw new ConvertError(
      "unsupported",
      `the folder holds ${found.length} parts of a model, one of each rank`,
      {
        file: folder,
        hint: "put them together first, with the program that trained it",
      },
    );
  }
  const shards = found.filter((name) => parseShardName(name) !== undefined);
  const hint =
    shards.length === found.length ? "these are shards, but their index is missing" : "give the path of one";
  throw new ConvertError(
    "usage",
    `the folder holds ${found.length} models: ${found.slice(0, 5).join(", ")}`,
    { file: folder, hint },
  );
}

/** An index and a single file of the same name: loaders differ in which one they take. */
function warnOfHidden(chosen: string, names: readonly string[], onNotice: (notice: Notice) => void): void {
  const single = chosen.replace(/\.index(\.[\w-]+)?\.json$/, "");
  if (single === chosen || !names.includes(single)) return;
  onNotice({
    code: "hidden-by-index",
    message: `the folder has both ${chosen} and ${single}; the index is read`,
  });
}
