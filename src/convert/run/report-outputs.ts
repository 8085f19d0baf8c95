import type { OutputPlan } from "../../core/plan.ts";
import type { OutputFolder } from "../../core/sink.ts";
import { sumsName } from "./sha256-sums.ts";

/** One output file. */
export interface OutputReport {
  readonly path: string;
  readonly bytes: number;
  readonly tensors: number;
  /** Hexadecimal, where hashes were asked for. */
  readonly sha256?: string | undefined;
}

/** One row a file; the list of hashes is a file too, of `sumsBytes`, where there is one. */
export function reportOutputs(
  plan: OutputPlan,
  folder: OutputFolder,
  hashes: ReadonlyMap<string, string>,
  sumsBytes: number | undefined,
): readonly OutputReport[] {
  const outputs = plan.files.map(({ name, size, tensorCount }): OutputReport => {
    const sha256 = hashes.get(name);
    const report = { path: folder.pathOf(name), bytes: size, tensors: tensorCount };
    return sha256 === undefined ? report : { ...report, sha256 };
  });
  if (sumsBytes === undefined) return outputs;
  return [...outputs, { path: folder.pathOf(sumsName), bytes: sumsBytes, tensors: 0 }];
}
