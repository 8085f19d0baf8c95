import type { PickleContext } from "../../../containers/pickle/read.ts";
import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import type { InputFolder } from "../../../core/sink.ts";
import type { ByteSource } from "../../../core/source.ts";
import { readSavedZip } from "../archive/saved-object.ts";
import { createTorchGlobals } from "../scan/nested-pickles.ts";
import { judge } from "../scan/verdicts.ts";
import { openTensor } from "../tensors/open-tensor.ts";
import type { TorchTensor } from "../values/torch-values.ts";
import { parseZeroModel, parseZeroPartition, type ZeroModel, type ZeroPartition } from "./zero-states.ts";
import { cutGroups, cutWeights, type FlatParts, joinPieces } from "./zero-weights.ts";

/** One rank's states with the file that they are in. */
interface Rank extends ZeroPartition {
  readonly file: string;
}

/**
 * The weights that the ranks of a ZeRO checkpoint have together, those that are not trained among them; `undefined` where
 * the file of the first rank's optimizer is not there. Reads the pickles of all ranks, and no weight. Throws kind `io`
 * where a rank's file is missing, `unsupported` for models that are cut in another way as well.
 */
export async function openRanks(
  model: ZeroModel,
  file: string,
  folder: InputFolder,
  outer: RunContext,
): Promise<ReadonlyMap<string, TorchTensor> | undefined> {
  const context = reviewedOnce(outer);
  const prefix = (await folder.open(optimizerFile("", 0))) ? "" : "bf16_";
  const first = await openRank(prefix, 0, folder, context);
  if (first === undefined) return undefined;
  await refuseModelParallel(file, folder);
  const ranks = [first];
  checkLimit(context.limits, "entries", first.ranks, "the number of ranks", { file: first.file });
  while (ranks.length < first.ranks) {
    const rank = await openRank(prefix, ranks.length, folder, context);
    ranks.push(rank ?? missing(optimizerFile(prefix, ranks.length), first.ranks, file));
  }
  if (await folder.open(optimizerFile(prefix, first.ranks))) {
    throw new ConvertError("malformed", `there are files of more than ${first.ranks} ranks`, {
      file,
      hint: "some are of another run; keep those of one in the folder",
    });
  }
  const flat = flatParts(ranks, context);
  const site = { file };
  if (first.cuts === "groups") {
    const frozen = frozenWeights(model, [model], [file], context);
    return new Map([...frozen, ...cutGroups(model.groups, flat, site)]);
  }
  const { models, files } = await modelsOfRanks(model, first.ranks, file, folder, context);
  const frozen = frozenWeights(model, models, files, context);
  return new Map([...frozen, ...cutWeights(model.groups.flat(), flat, site)]);
}

/** The names that DeepSpeed gives; with bfloat16 the optimizer's begin in another way. */
function optimizerFile(prefix: string, rank: number): string {
  return `${prefix}zero_pp_rank_${rank}_mp_rank_00_optim_states.pt`;
}

function modelFile(rank: number): string {
  return `zero_pp_rank_${rank}_mp_rank_00_model_states.pt`;
}

async function openRank(
  prefix: string,
  rank: number,
  folder: InputFolder,
  context: RunContext,
): Promise<Rank | undefined> {
  const source = await folder.open(optimizerFile(prefix, rank));
  if (source === undefined) return undefined;
  const root = await readObject(source, context);
  return { ...parseZeroPartition(root, { file: source.name }), file: source.name };
}

/** Another file than the one that is converted is judged by itself. */
async function readObject(source: ByteSource, context: RunContext): Promise<PickleValue> {
  const globals = createTorchGlobals(context.limits);
  const inner: PickleContext = { ...context, globals };
  try {
    return await readSavedZip(source, inner);
  } finally {
    context.review?.(judge(globals, { isScript: false }), source.name);
  }
}

/** Ranks name the same globals; each is told of once, unless another rank does worse with it. */
function reviewedOnce(context: RunContext): RunContext {
  const known = new Set<string>();
  return {
    ...context,
    review(globals, file) {
      const fresh = globals.filter(
        ({ module, name, verdict }) => !known.has(`${module}\n${name}\n${verdict}`),
      );
      for (const { module, name, verdict } of fresh) known.add(`${module}\n${name}\n${verdict}`);
      context.review?.(fresh, file);
    },
  };
}

function missing(name: string, ranks: number, file: string): never {
  throw new ConvertError("io", `the weights lie on ${ranks} ranks, but there is no "${name}"`, {
    file,
    hint: "each rank writes files of its own; bring them all into one folder",
  });
}

async function refuseModelParallel(file: string, folder: InputFolder): Promise<void> {
  const others = ["mp_rank_01_model_states.pt", "zero_pp_rank_0_mp_rank_01_model_states.pt"];
  for (const other of others) {
    if ((await folder.open(other)) === undefined) continue;
    throw new ConvertError(
      "unsupported",
      "the model is cut by tensor parallelism too: there are several mp_rank",
      {
        file,
        hint: "let the program that trained it put it together",
      },
    );
  }
}

/** All ranks have to agree on what they are parts of. */
function flatParts(ranks: readonly Rank[], context: RunContext): FlatParts {
  const [first] = ranks as readonly [Rank];
  const dtype = first.flat[0]?.dtype;
  for (const rank of ranks) {
    const same =
      rank.ranks === first.ranks && rank.cuts === first.cuts && rank.flat.length === first.flat.length;
    if (dtype !== undefined && same && rank.flat.every((tensor) => tensor.dtype === dtype)) continue;
    throw new ConvertError("malformed", "the states of this rank do not go with those of the first", {
      file: rank.file,
      hint: "the files may be of different steps or runs; copy the folder again",
    });
  }
  const parts = ranks.map(({ flat, file }) =>
    flat.map((tensor, index) => openTensor(`group ${index}`, tensor, file, context).payload),
  );
  return { dtype: dtype as NonNullable<typeof dtype>, parts };
}

/** In stage 3, weights that are not trained lie in the model states of all ranks. */
async function modelsOfRanks(
  model: ZeroModel,
  ranks: number,
  file: string,
  folder: InputFolder,
  context: RunContext,
): Promise<{ readonly models: readonly ZeroModel[]; readonly files: readonly string[] }> {
  const models = [model];
  const files = [file];
  while (model.frozen.length > 0 && models.length < ranks) {
    const name = modelFile(models.length);
    const source = (await folder.open(name)) ?? missing(name, ranks, file);
    models.push(parseZeroModel(await readObject(source, context), { file: source.name }));
    files.push(source.name);
  }
  return { models, files };
}

function frozenWeights(
  { frozen }: ZeroModel,
  models: readonly ZeroModel[],
  files: readonly string[],
  context: RunContext,
): ReadonlyMap<string, TorchTensor> {
  const weights = new Map<string, TorchTensor>();
  for (const weight of frozen) {
    const pieces = models.map(({ fragments }, rank) => {
      const piece = fragments.get(weight.name);
      if (piece) return piece;
      throw new ConvertError("malformed", `the states of the model have no part of "${weight.name}"`, {
        file: files[rank],
        tensor: weight.name,
      });
    });
    const dtype = (pieces[0] as TorchTensor).dtype;
    const sources = pieces.map(
      (piece, rank) => openTensor(weight.name, piece, files[rank] ?? "", context).payload,
    );
    weights.set(weight.name, joinPieces(weight, dtype, sources, { file: files[0], tensor: weight.name }));
  }
  return weights;
}
