import type { ConvertResult } from "./convert/conversion.ts";
import type { DiffOptions, DiffReport } from "./convert/diff/diff.ts";
import type { InspectReport } from "./convert/look/inspect.ts";
import type { TensorInspection } from "./convert/look/inspect-tensor.ts";
import type { ScanOptions, ScanReport } from "./convert/look/scan.ts";
import type { VerifyOptions, VerifyReport } from "./convert/verify/verify-model.ts";
import { builtinFormats } from "./formats/index.ts";
import type { Config } from "./paths/config.ts";
import {
  type ConvertPathOptions,
  convertPaths,
  type InspectPathOptions,
  inspectPath,
  inspectPathTensor,
  type PlannedPathConversion,
  planPaths,
} from "./paths/convert-paths.ts";
import { diffPaths } from "./paths/diff-paths.ts";
import { type EditOptions, type EditReport, editPath } from "./paths/edit-path.ts";
import { type JobResult, type RunJobsOptions, runJobs as runJobsOf } from "./paths/run-jobs.ts";
import { scanPath } from "./paths/scan-path.ts";
import { type UploadPathOptions, uploadPath } from "./paths/upload-path.ts";
import { verifyPath } from "./paths/verify-path.ts";
import type { UploadReport } from "./upload/upload-files.ts";

export * from "./index.ts";
export { inputFolder } from "./node/input-folder.ts";
export { outputFolder } from "./node/output-folder.ts";
export { type Config, defineConfig, type Job } from "./paths/config.ts";
export type {
  ConvertPathOptions,
  InspectPathOptions,
  PlannedPathConversion,
} from "./paths/convert-paths.ts";
export type { EditOptions, EditReport } from "./paths/edit-path.ts";
export { type LoadedConfig, loadConfig } from "./paths/load-config.ts";
export { readNameMap } from "./paths/name-map.ts";
export { type OpenModel, type OpenPathOptions, open } from "./paths/open.ts";
export type { NamingPathOptions } from "./paths/resolve-guides.ts";
export { resolveInput } from "./paths/resolve-input.ts";
export { resolveOutput } from "./paths/resolve-output.ts";
export type { JobResult, RunJobsOptions } from "./paths/run-jobs.ts";
export type { UploadPathOptions } from "./paths/upload-path.ts";
export type { UploadedFile, UploadReport } from "./upload/upload-files.ts";

/** Converts the file or folder `from`, or several as one, into the file or folder `to`; the files appear once all are complete. */
export function convert(
  from: string | readonly string[],
  to: string,
  options?: ConvertPathOptions,
): Promise<ConvertResult> {
  return convertPaths(from, to, builtinFormats, options);
}

/** Decides a conversion without writing anything: look at `result`, then `run()` or `close()`. */
export function plan(
  from: string | readonly string[],
  to: string,
  options?: ConvertPathOptions,
): Promise<PlannedPathConversion> {
  return planPaths(from, to, builtinFormats, options);
}

/** Sends a file, a folder, or with `to` what it converts to, to the repository `owner/name` of the Hub. */
export function upload(path: string, repository: string, options?: UploadPathOptions): Promise<UploadReport> {
  return uploadPath(path, repository, builtinFormats, options);
}

/** Lists the tensors and the rest of a file or folder; reads headers only. */
export function inspect(path: string, options?: InspectPathOptions): Promise<InspectReport> {
  return inspectPath(path, builtinFormats, options);
}

/** Reads one tensor of a file or folder, in bounded memory, and sums up its values. */
export function inspectTensor(
  path: string,
  name: string,
  options?: InspectPathOptions,
): Promise<TensorInspection> {
  return inspectPathTensor(path, name, builtinFormats, options);
}

/** Lists what loading a file or folder in Python would run, and judges it; nothing is run. */
export function scan(path: string, options?: ScanOptions): Promise<ScanReport> {
  return scanPath(path, builtinFormats, options);
}

/** Compares two files or folders tensor by tensor, whatever their formats. */
export function diff(a: string, b: string, options?: DiffOptions): Promise<DiffReport> {
  return diffPaths(a, b, builtinFormats, options);
}

/** Reads a file, an index with its shards or all models of a folder to the last byte, and lists what is wrong. */
export function verify(path: string, options?: VerifyOptions): Promise<VerifyReport> {
  return verifyPath(path, builtinFormats, options);
}

/** Changes the metadata of a safetensors file, or of shards with their index; in place where that cannot go wrong. */
export function edit(path: string, options?: EditOptions): Promise<EditReport> {
  return editPath(path, builtinFormats, options);
}

/** Runs the conversions of a configuration one after the other, up to the first that fails. */
export function runJobs(config: Config, options?: RunJobsOptions): Promise<readonly JobResult[]> {
  return runJobsOf(config, builtinFormats, options);
}
