/** The library without built-in formats: a caller hands in those it wants, and nothing else is loaded. */
export type { ConvertOptions, ConvertResult, PlannedConversion } from "./convert/conversion.ts";
export { planConversion } from "./convert/convert.ts";
export { type DiffOptions, type DiffReport, diffModels, type TensorDifference } from "./convert/diff/diff.ts";
export {
  type DTypeReport,
  type InspectReport,
  inspectModel,
  type StateDictReport,
  type TensorReport,
} from "./convert/look/inspect.ts";
export { inspectModelTensor, type TensorInspection } from "./convert/look/inspect-tensor.ts";
export { type ModuleNode, moduleTree } from "./convert/look/module-tree.ts";
export type { Histogram } from "./convert/look/moments.ts";
export type { InspectOptions } from "./convert/look/open-to-look.ts";
export { type ScanOptions, type ScanReport, scanFiles, scanModel } from "./convert/look/scan.ts";
export { type ExactNumber, type TensorValues, tensorValues } from "./convert/look/tensor-values.ts";
export type { ModelInput } from "./convert/open/open.ts";
export { type OpenedModel, openModel } from "./convert/open/open-model.ts";
export type { CastReport, Dropped } from "./convert/plan/decide-tensors.ts";
export type { InputReport } from "./convert/plan/load-inputs.ts";
export type { DuplicatePolicy } from "./convert/plan/merge.ts";
export {
  type ModelOutput,
  type NamedPlan,
  type OutputLayout,
  planOutput,
} from "./convert/plan/plan-output.ts";
export type { OutputReport } from "./convert/run/report-outputs.ts";
export { runPlan } from "./convert/run/run-plan.ts";
export type { Problem, ProblemCode } from "./convert/verify/problems.ts";
export { type VerifyOptions, type VerifyReport, verifyModel } from "./convert/verify/verify-model.ts";
export type { VerifyTarget } from "./convert/verify/verify-scope.ts";
export {
  type ContextOptions,
  createContext,
  type Notice,
  type NoticeCode,
  type Progress,
  type RunContext,
  type Sha256,
} from "./core/context.ts";
export type { Copier, CopyRequest, FilePlace } from "./core/copier.ts";
export type { Candidate, Checkpoint, Leftover, TensorDict } from "./core/dict.ts";
export { type DType, dtypes } from "./core/dtype.ts";
export { ConvertError, type ErrorKind, type ErrorSite, isConvertError } from "./core/errors.ts";
export type {
  ExternalData,
  FilesRequest,
  Format,
  FormatReader,
  FormatRewriter,
  FormatScanner,
  FormatWriter,
  Match,
  Probe,
  ScanFindings,
  SpreadWriter,
} from "./core/format.ts";
export {
  type ConstantTensor,
  type Dimension,
  type GraphAttribute,
  type GraphBody,
  type GraphNode,
  type GraphValue,
  graphDict,
  graphOf,
  intAttribute,
  intsAttribute,
  type OperatorGraph,
  type OperatorSet,
} from "./core/graph.ts";
export type { GraphReport, GraphReportValue } from "./core/graph-report.ts";
export { defaultLimits, type Limits } from "./core/limits.ts";
export type { OutputPlan, Piece, PlannedFile } from "./core/plan.ts";
export type { Scratch } from "./core/scratch.ts";
export type { ByteSink, InputFolder, OutputFolder, OutputRequest } from "./core/sink.ts";
export { type ByteSource, bytesSource, type ReadRequest, readBytes, section } from "./core/source.ts";
export type { LazyTensor, Quantization, StorageView, TensorInfo } from "./core/tensor.ts";
export type { GlobalUse, Verdict } from "./core/verdict.ts";
export { parseSize } from "./shards/size.ts";
export { type CastOptions, cast } from "./transforms/cast.ts";
export { type CastLosses, createCastLosses } from "./transforms/cast-losses.ts";
export { type FilterOptions, filter } from "./transforms/filter.ts";
export { setMetadata } from "./transforms/metadata.ts";
export { type Pattern, parsePattern } from "./transforms/pattern.ts";
export { type RenameOptions, type RenameRule, rename } from "./transforms/rename.ts";
export { restoreTies } from "./transforms/restore-ties.ts";
export { resolveTies, type TiedPolicy } from "./transforms/tied.ts";
