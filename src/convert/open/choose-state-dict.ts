import type { RunContext } from "../../core/context.ts";
import type { Candidate, Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { formatBytes } from "../../core/words.ts";

/** Below both of these a dict is taken for bookkeeping: a loss, a decay, a step count. */
const bookkeepingTensors = 4;
const bookkeepingBytes = 1024;

/**
 * The dict that `select` names (`.` for the top), or the one that stands out: the only one that is neither an
 * optimizer's nor mere bookkeeping. Throws kind `usage` with the list where there is no such one.
 */
export function chooseStateDict(
  checkpoint: Checkpoint,
  select: string | undefined,
  file: string,
  context: RunContext,
): Candidate {
  const { candidates } = checkpoint;
  if (select !== undefined) {
    const chosen = candidates.find(({ path }) => path === select || (select === "." && path === ""));
    if (chosen) return chosen;
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
      hint: `choose one with --select ${[chosen, ...others].find(({ path }) => path !== "")?.path ?? "."}`,
    });
  }
  if (chosen.path !== "") {
    context.warn({ code: "selected", message: `took the state dict "${chosen.path}" (${sizeOf(chosen)})` });
  }
  return chosen;
}

/** Whether no dict stands out, so that one has to be selected. */
export function isAmbiguous({ candidates }: Checkpoint): boolean {
  return contenders(candidates).length > 1;
}

/** The dicts that may be the model. */
function contenders(candidates: readonly Candidate[]): readonly Candidate[] {
  const models = candidates.filter((candidate) => !candidate.auxiliary);
  const pool = models.length > 0 ? models : candidates;
  const large = pool.filter(
    ({ tensorCount, bytes }) => tensorCount >= bookkeepingTensors || bytes > bookkeepingBytes,
  );
  return large.length > 0 ? large : pool;
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
