import type { InputFolder } from "../core/sink.ts";
import type { ConvertResult, Target } from "./conversion.ts";
import { journalOf } from "./fingerprint.ts";
import type { LoadedConversion } from "./load-conversion.ts";
import { refuseNotices } from "./notices.ts";
import { checkStorages } from "./plan/check-storages.ts";
import type { DecidedTensors } from "./plan/decide-tensors.ts";
import type { PlannedFiles } from "./plan-files.ts";
import { reportOutputs } from "./run/report-outputs.ts";
import { runPlan } from "./run/run-plan.ts";
import { verifyOutput } from "./verify/verify-output.ts";
import { verifyPieces } from "./verify/verify-pieces.ts";

/** All that was decided on a conversion. */
export interface DecidedConversion {
  readonly target: Target;
  readonly loaded: LoadedConversion;
  readonly decided: DecidedTensors;
  readonly files: PlannedFiles;
  /** What the plan alone could tell. */
  readonly result: ConvertResult;
}

/** Writes the files, and reads them back through `written` where that was asked for. */
export async function runConversion(
  { target, loaded, decided, files, result }: DecidedConversion,
  written: InputFolder | undefined,
): Promise<ConvertResult> {
  const { output, format, options } = target;
  const { context, opened } = loaded;
  const { plan } = files;
  await checkStorages(decided.stored, context);
  const { checksums = false, resume = false } = options;
  const journal = journalOf(output, { plan, inputs: opened, options }, resume, context);
  const recount = decided.casts.length > 0;
  const request = { checksums, journal, recount };
  const finished = await runPlan(plan, output.folder, files.isOfModel, context, request);
  try {
    decided.losses.settle(context);
    if (options.verify && written && files.inPieces) await verifyPieces(plan, written, context);
    else if (options.verify && written) await verifyOutput(plan, decided.dict, format, written, context);
    refuseNotices(result.notices, options);
  } catch (error) {
    await finished.undo();
    throw error;
  }
  const outputs = reportOutputs(plan, output.folder, finished.hashes, finished.sumsBytes);
  return { ...result, outputs, ...(resume ? { resumed: finished.resumed } : {}) };
}
