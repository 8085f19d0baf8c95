import { type ContextOptions, createContext, type Notice, type RunContext } from "../../core/context.ts";
import { ConvertError, isConvertError } from "../../core/errors.ts";
import type { Format, ScanFindings } from "../../core/format.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { type GlobalUse, type Verdict, worse } from "../../core/verdict.ts";
import { parseShardIndex } from "../../shards/index-file.ts";
import {
  detectFormat,
  formatByExtension,
  type ModelInput,
  openSource,
  probeSource,
  type Traffic,
} from "../open/open.ts";
import { looksLikeIndex } from "../open/open-model.ts";
import { noteGlobals } from "../open/unsafe.ts";

/** What loading a file, an index or a folder would run. Nothing was run to find out. */
export interface ScanReport {
  readonly path: string;
  /** That of the worst global; `unknown` at least where a part could not be read. */
  readonly verdict: Verdict;
  /** Every name that the loader would import, the worst first, each once. */
  readonly globals: readonly GlobalUse[];
  readonly notices: readonly Notice[];
  /** Why a part could not be read, if there is one: then the list may lack something. */
  readonly failure: ConvertError | undefined;
  /** Set for an input that came over a network. */
  readonly traffic?: Traffic;
}

/** What a scan may be told. */
export type ScanOptions = ContextOptions;

/** Scans a file, or the shards of an index. Throws kind `unsupported` for a file of no known kind. */
export async function scanModel(
  input: ModelInput,
  formats: readonly Format[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const collection = createCollection(options);
  const { context } = collection;
  const source = await openSource(input);
  if (await looksLikeIndex(source, input.name, context)) {
    for (const name of await shardNames(source, context)) {
      const shard = { folder: input.folder, name };
      await collection.add(name, () => scanFile(shard, formats, context));
    }
  } else {
    collection.take(await scanFile(input, formats, context));
  }
  const report = collection.report(source.name);
  return input.traffic === undefined ? report : { ...report, traffic: input.traffic };
}

/** Scans files one by one and judges them as a whole; those of no known kind are passed over. */
export async function scanFiles(
  path: string,
  files: AsyncIterable<ModelInput>,
  formats: readonly Format[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const collection = createCollection(options);
  let count = 0;
  for await (const file of files) {
    const known = await collection.add(file.name, () => scanFile(file, formats, collection.context));
    if (known) count++;
  }
  if (count > 0) return collection.report(path);
  throw new ConvertError("io", "the folder holds no model", {
    file: path,
    hint: "give the path of a file, or of a folder of a checkpoint",
  });
}

/** Every format is asked, since a file may be one thing to one loader and another to the next. */
async function scanFile(
  input: ModelInput,
  formats: readonly Format[],
  context: RunContext,
): Promise<ScanFindings> {
  const source = await openSource(input);
  for (const format of formats) {
    const scanner = await format.loadScanner?.();
    const findings = await scanner?.scan(source, context);
    if (findings === undefined) continue;
    noteExtension(format, input.name, formats, context);
    return findings;
  }
  const format = detectFormat(await probeSource(source, context), source, formats);
  context.warn({ code: "no-code", message: `${source.name} is ${format.title}, which holds no code` });
  return { verdict: "clean", globals: [], failure: undefined };
}

function noteExtension(format: Format, name: string, formats: readonly Format[], context: RunContext): void {
  const named = formatByExtension(name, formats);
  if (named === undefined || named === format) return;
  context.warn({
    code: "wrong-extension",
    message: `"${name}" is named like ${named.title}, but its content is ${format.title}`,
  });
}

async function shardNames(source: ByteSource, context: RunContext): Promise<readonly string[]> {
  checkLimit(context.limits, "headerBytes", source.size, "the index's size", { file: source.name });
  const index = parseShardIndex(await readBytes(source, 0, source.size, context), source.name);
  return [...new Set(index.weightMap.values())];
}

/** Findings of one file or of many, added up. */
interface Collection {
  readonly context: RunContext;
  take(findings: ScanFindings): void;
  /** Takes what `scan` finds in one of several files and notes in which; tells whether it is of a known kind. */
  add(name: string, scan: () => Promise<ScanFindings>): Promise<boolean>;
  report(path: string): ScanReport;
}

function createCollection(options: ScanOptions): Collection {
  const notices: Notice[] = [];
  const globals = new Map<string, GlobalUse>();
  let verdict: Verdict = "clean";
  let failure: ConvertError | undefined;
  const context = createContext({
    ...options,
    onNotice(notice) {
      notices.push(notice);
      options.onNotice?.(notice);
    },
  });

  function take(findings: ScanFindings): void {
    verdict = worse(verdict, findings.verdict);
    failure ??= findings.failure;
    for (const use of findings.globals) {
      const key = `${use.module}\n${use.name}`;
      const known = globals.get(key);
      const calls = use.calls + (known?.calls ?? 0);
      globals.set(key, { ...use, verdict: worse(use.verdict, known?.verdict ?? "clean"), calls });
    }
  }

  return {
    context,
    take,
    async add(name, scan) {
      try {
        const findings = await scan();
        noteGlobals(({ code, message }) => context.warn({ code, message: `${name}: ${message}` }))(
          findings.globals,
          name,
        );
        take(findings);
        return true;
      } catch (error) {
        if (!isConvertError(error) || error.kind === "cancelled") throw error;
        if (error.kind === "unsupported") return false;
        context.warn({ code: "unread", message: `${name} cannot be read: ${error.message}` });
        take({ verdict: "unknown", globals: [], failure: error });
        return true;
      }
    },
    report(path) {
      const rank = ({ verdict }: GlobalUse) => (["dangerous", "unknown", "clean"] as const).indexOf(verdict);
      const sorted = [...globals.values()].sort((a, b) => rank(a) - rank(b));
      return { path, verdict, globals: sorted, notices, failure };
    },
  };
}
