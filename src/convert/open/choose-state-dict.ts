import type { RunContext } from "../../core/context.ts";
import type { Candidate, Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { formatBytes } from "../../core/words.ts";
import { isWithin, joinedBelow } from "./join-candidates.ts";

/** Below both of these a dict is taken for bookkeeping: a loss, a decay, a step count. */
const bookkeepingTensors = 4;
const bookkeepingBytes = 1024;

/**
 * The dict that `select` names (`.` for the top), or all below it as one; without `select` the one that stands out: the only
 * one that is neither an optimizer's nor mere bookkeeping. Throws kind `usage` with the list where there is no such one.
 */
export function chooseStateDict(
  checkpoint: Checkpoint,
  select: string | undefined,
  file: string,
  context: RunContext,
): Candidate {
  const { candidates } = checkpoint;
  if (select !== undefined) {
    const wanted = select === "." ? "" : select;
    const chosen = candidates.find(({ path }) => path === wanted) ?? joinedBelow(candidates, wanted, file);
    if (chosen) return chosen;
    const unlisted = checkpoint.unlisted?.() ?? [];
    const other = unlisted.find(({ path }) => path === wanted) ?? joinedBelow(unlisted, wanted, file);
    if (other) return other;
    throw new ConvertError("usage", `there is no state dict at "${select}"; there is ${listOf(candidates)}`, {
      file,
    });
  }
  const [chosen, ...others] = contenders(candidates);
  if (chosen === undefined) {
    const { message, hint } = checkpoint.absence ?? { message: "no tensors were found", hint: undefined };
    throw new ConvertError("unsupported", message, { file, hint });
  }
  if (others.length > 0) {
    throw new ConvertError("usage", `there are several state dicts: ${listOf([chosen, ...others])}`, {
      file,
      hint: selectHint([chosen, ...others]),
    });
  }
  if (chosen.path !== "") {
    context.warn({ code: "selected", message: `took the state dict "${chosen.path}" (${sizeOf(chosen)})` });
  }
  return chosen;
}

/** One of them, and what has them all below it where nothing lies there itself. */
function selectHint(candidates: readonly Candidate[]): string {
  const paths = candidates.map(({ path }) => path);
  const one = `choose one with --select ${paths.find((path) => path !== "") ?? "."}`;
  const [first = "", ...others] = paths;
  const parts = first.split(".");
  while (parts.length > 0 && !others.every((path) => isWithin(path, parts.join(".")))) parts.pop();
  const above = parts.join(".");
  return paths.includes(above) ? one : `${one}, or take all of them with --select ${above || "."}`;
}

/** Whether no dict stands out, so that one has to be selected. */
export function isAmbiguous({ candidates }: Checkpoint): boolean {
  return contenders(candidates).length > 1;
}

/** The dicts that may be the model. Where there is none, as in an optimizer's file, all are alike, however small. */
function contenders(candidates: readonly Candidate[]): readonly Candidate[] {
  const models = candidates.filter((candidate) => !candidate.auxiliary);
  if (models.length === 0) return candidates;
  const large = models.filter(
    ({ tensorCount, bytes }) => tensorCount >= bookkeepingTensors || bytes > bookkeepingBytes,
  );
  return large.length > 0 ? large : models;
}

function listOf(candidates: readonly Candidate[]): string {
  const shown = candidates
    .slice(0, 12)
    .map((candidate) => `"${candidate.path || "."}" (${sizeOf(candidate)})`);
  const rest = candidates.length - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function sizeOf({ tensorCount, bytes }: Candidate): string {
  return `${tensorCount} ${tensorCount === 1 ? "tensor" : "tensors"}, ${formatBytes(bytes)}`;
}
