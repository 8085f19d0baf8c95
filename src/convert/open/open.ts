import type { Notice, RunContext } from "../../core/context.ts";
import type { Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format, Probe } from "../../core/format.ts";
import type { InputFolder } from "../../core/sink.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { recogniseForeign } from "./foreign.ts";

/** A file by its bare name, and the folder that it and its shards lie in. */
export interface ModelInput {
  readonly folder: InputFolder;
  readonly name: string;
  /** Names of all files in the folder, where the folder itself was given as the model. */
  readonly siblings?: readonly string[] | undefined;
  /** What finding the file gave occasion to say. */
  readonly notices?: readonly Notice[] | undefined;
  /** Set where the files come over a network: what that has cost so far. */
  readonly traffic?: Traffic | undefined;
}

/** The cost of reading over a network. */
export interface Traffic {
  readonly requests: number;
  /** Bytes received, without headers. */
  readonly bytes: number;
}

/** How to take a file whose kind is given, or to be found out. */
export interface OpenOptions {
  readonly formats: readonly Format[];
  /** Format id that overrides detection. */
  readonly from?: string | undefined;
}

/** A file with its format, headers read. */
export interface OpenedFile {
  readonly format: Format;
  readonly source: ByteSource;
  readonly checkpoint: Checkpoint;
}

/** Opens one file, known by its content. Throws kind `io` where it is missing, `unsupported` where no format takes it. */
export async function openFile(
  input: ModelInput,
  options: OpenOptions,
  context: RunContext,
): Promise<OpenedFile> {
  const source = await openSource(input);
  const probe = await probeSource(source, context);
  const format =
    options.from === undefined
      ? detectFormat(probe, source, options.formats)
      : formatById(options.from, options.formats);
  warnOfExtension(format, input.name, options.formats, context);
  if (format.loadReader === undefined) {
    throw new ConvertError("unsupported", `${format.title} is written, but not read`, { file: source.name });
  }
  const reader = await format.loadReader();
  return { format, source, checkpoint: await reader.read(source, input.folder, context) };
}

/** The source of a file that must be there. */
export async function openSource({ folder, name }: ModelInput): Promise<ByteSource> {
  const source = await folder.open(name);
  if (source === undefined) throw new ConvertError("io", `there is no file "${name}"`, { file: name });
  return source;
}

/** Both ends of a file, read once for all detectors. */
export async function probeSource(source: ByteSource, context: RunContext): Promise<Probe> {
  const head = await readBytes(source, 0, Math.min(source.size, 4096), context);
  const tail = await readBytes(source, Math.max(0, source.size - 65_536), source.size, context);
  return { head, tail, size: source.size };
}

/** The format with an id. Throws kind `usage` where there is none. */
export function formatById(id: string, formats: readonly Format[]): Format {
  const wanted = id.replace(/^\./, "").toLowerCase();
  const format = formats.find(({ id, extensions }) => id === wanted || extensions.includes(`.${wanted}`));
  if (format) return format;
  throw new ConvertError("usage", `there is no format "${id}"`, {
    hint: `known are ${formats.map((known) => known.id).join(", ")}`,
  });
}

/** The format that a name's extension stands for, if any. */
export function formatByExtension(name: string, formats: readonly Format[]): Format | undefined {
  const lower = name.toLowerCase();
  return formats.find(({ extensions }) => extensions.some((extension) => lower.endsWith(extension)));
}

/** A single "certain" wins, else a single "likely"; the extension breaks a tie, and never decides alone. */
export function detectFormat(probe: Probe, source: ByteSource, formats: readonly Format[]): Format {
  for (const match of ["certain", "likely"] as const) {
    const matches = formats.filter((format) => format.detect(probe) === match);
    const byName = matches.length > 1 ? formatByExtension(source.name, matches) : undefined;
    const only = matches.length === 1 ? matches[0] : byName;
    if (only) return only;
  }
  const foreign = recogniseForeign(probe);
  const site = { file: source.name, offset: 0 };
  if (foreign) {
    throw new ConvertError(probe.size === 0 ? "malformed" : "unsupported", `this is ${foreign.what}`, {
      ...site,
      hint: foreign.hint,
    });
  }
  throw new ConvertError("unsupported", "the content is of no kind that is known", {
    ...site,
    hint: `known are ${formats.map((format) => format.title).join(", ")}; --from names one by force`,
  });
}

function warnOfExtension(
  format: Format,
  name: string,
  formats: readonly Format[],
  context: RunContext,
): void {
  const named = formatByExtension(name, formats);
  if (named === undefined || named === format) return;
  context.warn({
    code: "wrong-extension",
    message: `"${name}" is named like ${named.title}, but its content is ${format.title}; the content counts`,
  });
}
