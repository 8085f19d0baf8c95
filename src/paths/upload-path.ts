import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { ConvertOptions } from "../convert/conversion.ts";
import { planConversion } from "../convert/convert.ts";
import { plannedSource } from "../convert/run/planned-source.ts";
import type { Notice } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format } from "../core/format.ts";
import { nowhere } from "../core/nowhere.ts";
import { parseHubAddress } from "../hub/address.ts";
import { type FileSource, openFileSource } from "../node/file-source.ts";
import { hubSettings } from "../node/hub-settings.ts";
import { platform } from "../node/platform.ts";
import { systemError } from "../node/system-errors.ts";
import type { UploadFile, UploadOptions, UploadReport } from "../upload/upload-files.ts";
import { resolveInput } from "./resolve-input.ts";

/** How a path is sent to the Hub. */
export interface UploadPathOptions
  extends Omit<UploadOptions, "endpoint" | "token" | "remove">,
    Pick<
      ConvertOptions,
      "from" | "select" | "maxShardBytes" | "tied" | "keep" | "metadata" | "allow" | "limits"
    > {
  /** Convert to this format on the way, without a copy on disk; by default files are sent as they are. */
  readonly to?: string | undefined;
  /** Folder of the repository that the files go to. */
  readonly folder?: string | undefined;
  /** Instead of `HF_TOKEN` or the token file. */
  readonly token?: string | undefined;
  /** List what would be sent, and send nothing. */
  readonly dryRun?: boolean | undefined;
  readonly onNotice?: ((notice: Notice) => void) | undefined;
}

/** Sends a file, the files of a folder, or with `to` what they convert to, to the repository `owner/name` of the Hub. */
export async function uploadPath(
  path: string,
  repository: string,
  formats: readonly Format[],
  options: UploadPathOptions = {},
): Promise<UploadReport> {
  const target = parseHubAddress(repository.startsWith("hf://") ? repository : `hf://${repository}`);
  const { endpoint, token = "" } = { ...hubSettings(), ...(options.token ? { token: options.token } : {}) };
  if (token === "" && !options.dryRun) {
    throw new ConvertError("usage", "there is no token for the Hub", {
      hint: "set HF_TOKEN, log in with hf auth login, or give one with --token-stdin",
    });
  }
  const opened = await (options.to === undefined ? openFiles(path) : convertedFiles(path, formats, options));
  try {
    const prefix = [target.path, options.folder ?? ""].filter((part) => part !== "").join("/");
    const files = opened.files.map((file) => ({
      ...file,
      path: prefix ? `${prefix}/${file.path}` : file.path,
    }));
    if (options.dryRun) return plannedReport(files, target.repository);
    const branch = options.branch ?? (target.revision === "main" ? undefined : target.revision);
    const { uploadFiles } = await import("../upload/upload-files.ts");
    return await uploadFiles(files, target.repository, { ...options, branch, endpoint, token });
  } finally {
    await opened.close();
  }
}

interface OpenFiles {
  readonly files: readonly UploadFile[];
  close(): Promise<void>;
}

function plannedReport(files: readonly UploadFile[], repository: string): UploadReport {
  const report = files.map(({ path, source }) => ({ path, bytes: source.size, present: false }));
  return { repository, commit: "", files: report, bytes: report.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** A file, or all in a folder and below it; what tools keep for themselves stays behind. */
async function openFiles(path: string): Promise<OpenFiles> {
  const names = isFolder(path) ? [...below(path, "")] : [""];
  if (names.length === 0) throw new ConvertError("io", "the folder is empty", { file: path });
  const sources: FileSource[] = [];
  const close = async (): Promise<void> => {
    for (const source of sources) await source.close();
  };
  try {
    for (const name of names) sources.push(await openFileSource(name === "" ? path : join(path, name)));
  } catch (error) {
    await close();
    throw error;
  }
  const files = names.map((name, index) => ({
    path: name === "" ? basename(path) : name,
    source: sources[index] as FileSource,
  }));
  return { files, close };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw systemError("io", path, error);
  }
}

function* below(folder: string, prefix: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name.startsWith(".") && name !== ".gitattributes") continue;
    const whole = join(folder, name);
    if (statSync(whole).isDirectory()) yield* below(whole, `${prefix}${name}/`);
    else yield prefix + name;
  }
}

/** Files that exist only while they are sent. All is read once before, so that damage is found before anything is sent. */
async function convertedFiles(
  path: string,
  formats: readonly Format[],
  options: UploadPathOptions,
): Promise<OpenFiles> {
  const input = await resolveInput(path, options.signal);
  const close = (): Promise<void> => input.folder.close();
  try {
    const conversion = await planConversion(input, { folder: nowhere }, formats, { ...platform, ...options });
    const files = conversion.result.plan.files.map((file) => ({
      path: file.name,
      source: plannedSource(file),
    }));
    if (!options.dryRun) await conversion.run();
    return { files, close };
  } catch (error) {
    await close();
    throw error;
  }
}
