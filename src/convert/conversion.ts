import type { ContextOptions, Notice } from "../core/context.ts";
import type { ExternalData, Format } from "../core/format.ts";
import type { OutputPlan } from "../core/plan.ts";
import type { InputFolder } from "../core/sink.ts";
import type { ScriptOptions } from "../torchscript/compile/parse-request.ts";
import type { NamingOptions } from "./open/naming.ts";
import type { ModelInput } from "./open/open.ts";
import type { CastReport, Dropped, TensorOptions } from "./plan/decide-tensors.ts";
import type { InputOptions, InputReport } from "./plan/load-inputs.ts";
import type { ModelOutput } from "./plan/plan-output.ts";
import type { OutputReport } from "./run/report-outputs.ts";

/** What a conversion may be told. */
export interface ConvertOptions extends Omit<ContextOptions, "naming">, InputOptions, TensorOptions {
  /** Format ids that override what content and extension say. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Largest payload of one shard in bytes; `Infinity` writes one file. By default 5 GB into a folder, one file otherwise. */
  readonly maxShardBytes?: number | undefined;
  /**
   * Where the output can leave weights outside its file: `auto` (where it would be larger than others can read),
   * `always`, `never`, or the id of another format, whose files are then written for it to point into.
   */
  readonly externalData?: ExternalData | (string & {}) | undefined;
  /** Word in the names of files in a folder by which loaders tell versions apart: `fp16` for `model.fp16.safetensors`. */
  readonly variant?: string | undefined;
  /** How tensors are to be called whose file has names and layouts of its own. */
  readonly naming?: NamingOptions | undefined;
  /** A file that the output is to be a copy of, with these weights in the place of its own. */
  readonly template?: ModelInput | undefined;
  /** Hash every output file while it is written, and list the hashes in `SHA256SUMS` beside them; needs `sha256`. */
  readonly checksums?: boolean | undefined;
  /** Go on where an equal conversion was interrupted, and after a failure leave what the next one can go on from. */
  readonly resume?: boolean | undefined;
  /** Read the output back and compare it with the input. */
  readonly verify?: boolean | undefined;
  /** Fail (kind `lossy`) where there would be a notice. */
  readonly strict?: boolean | undefined;
  /** What the program of a TorchScript archive is compiled for, where the output holds graphs. */
  readonly script?: ScriptOptions | undefined;
  /** What would otherwise be refused, by the words that the errors name: `unsafe-pickle`. */
  readonly allow?: readonly string[] | undefined;
}

/** What a conversion did, or with a plan alone would do. */
export interface ConvertResult {
  /** The first of `inputs`. */
  readonly input: InputReport;
  readonly inputs: readonly InputReport[];
  readonly outputs: readonly OutputReport[];
  readonly plan: OutputPlan;
  /** Number of tensors written. */
  readonly tensors: number;
  /** Bytes of all output files. */
  readonly bytes: number;
  /** How many tensors were cast, by types. */
  readonly casts: readonly CastReport[];
  readonly dropped: readonly Dropped[];
  readonly notices: readonly Notice[];
  /** Bytes that an interrupted conversion had left, where it was to be resumed. */
  readonly resumed?: number | undefined;
}

/** A conversion that is decided and not begun. */
export interface PlannedConversion {
  readonly result: ConvertResult;
  /** Writes the files. `written` reads them back for `verify`, and has to be given with it. */
  run(written?: InputFolder): Promise<ConvertResult>;
}

/** What a conversion is to make. */
export interface Target {
  readonly output: ModelOutput;
  /** Of the output. */
  readonly format: Format;
  /** All that there are. */
  readonly formats: readonly Format[];
  readonly options: ConvertOptions;
}
