import { readZipDirectory } from "../../containers/zip/directory.ts";
import { entrySource } from "../../containers/zip/entry.ts";
import { walkBytes } from "../../core/checksum.ts";
import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { type ConvertError, isConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import type { InputFolder } from "../../core/sink.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { openFile } from "../open/open.ts";
import { createProblemList, type ProblemList } from "./problems.ts";

/** How to verify files of one folder. */
export interface FileVerification {
  readonly folder: InputFolder;
  readonly formats: readonly Format[];
  readonly problems: ProblemList;
  readonly context: RunContext;
  /** Told of bytes that were read. */
  count(bytes: number): void;
}

/**
 * Reads a file to its last byte: headers, every dict in it, every payload, and every entry of a zip with its checksum.
 * With `isRead`, bytes without a checksum of their own are not read again. Gives its dicts. Throws kind `unsupported` for a
 * file that is neither read nor a zip; of a zip that is not understood, the entries are verified.
 */
export async function verifyFile(
  name: string,
  isRead: boolean,
  { folder, formats, problems, context, count }: FileVerification,
): Promise<readonly TensorDict[]> {
  const source = await folder.open(name);
  if (source === undefined) return [];
  const { dicts, refusal } = await readDicts(name, { folder, formats, problems, context });
  const entries = await zipEntries(source, name, refusal, { problems, context });
  if (refusal && entries === undefined) throw refusal;
  if (refusal)
    context.warn({ code: "unread", message: `${name}: ${refusal.message}; its entries are verified` });
  const sources = entries ?? payloadSources(dicts);
  const queue = [...sources].filter(([bytes]) => !isRead || bytes.crc32 !== undefined).values();
  const lane = async () => {
    for (const [bytes, label] of queue) {
      await problems.guard(name, () => readWhole(bytes, label, name, { problems, context, count }));
    }
  };
  await Promise.all(Array.from({ length: context.jobs }, lane));
  return dicts;
}

/** All dicts of a file, headers only; `refusal` where something valid in it is not read. */
async function readDicts(
  name: string,
  { folder, formats, problems, context }: Omit<FileVerification, "count">,
): Promise<{ dicts: readonly TensorDict[]; refusal: ConvertError | undefined }> {
  const dicts: TensorDict[] = [];
  let refusal: ConvertError | undefined;
  const attempt = <T>(work: () => Promise<T> | T) =>
    problems.guard(name, async () => {
      try {
        return await work();
      } catch (error) {
        if (!isConvertError(error, "unsupported")) throw error;
        refusal = error;
        return undefined;
      }
    });
  const opened = await attempt(() => openFile({ folder, name }, { formats }, context));
  for (const candidate of opened?.checkpoint.candidates ?? []) {
    const dict = await attempt(() => candidate.load());
    if (dict) dicts.push(dict);
  }
  return { dicts, refusal };
}

/** The entries of a zip, by name; `undefined` for another file. What was refused may be several zips in one file. */
async function zipEntries(
  source: ByteSource,
  name: string,
  refusal: ConvertError | undefined,
  { problems, context }: Pick<FileVerification, "problems" | "context">,
): Promise<ReadonlyMap<ByteSource, string> | undefined> {
  const head = source.size < 4 ? new Uint8Array(4) : await readBytes(source, 0, 4, context);
  if (new DataView(head.buffer).getUint32(0) !== 0x504b0304) return undefined;
  const ignored = createProblemList();
  const directory = await (refusal ? ignored : problems).guard(name, () => readZipDirectory(source, context));
  if (directory === undefined) return undefined;
  return new Map(directory.entries.map((entry) => [entrySource(source, entry, context), entry.name]));
}

/** What the tensors show, each storage once, with the name of a tensor that does. */
function payloadSources(dicts: readonly TensorDict[]): ReadonlyMap<ByteSource, string> {
  const sources = new Map<ByteSource, string>();
  const seen = new Set<string>();
  for (const { tensors } of dicts) {
    for (const [name, { view, payload }] of tensors) {
      if (view !== undefined && seen.has(view.storage)) continue;
      if (view !== undefined) seen.add(view.storage);
      sources.set(view?.source ?? payload, name);
    }
  }
  return sources;
}

async function readWhole(
  source: ByteSource,
  label: string,
  file: string,
  { problems, context, count }: Pick<FileVerification, "problems" | "context" | "count">,
): Promise<void> {
  let checksum = 0;
  await walkBytes(source, context, (part) => {
    if (source.crc32 !== undefined) checksum = context.crc32(part, checksum);
    count(part.length);
  });
  if (source.crc32 === undefined || checksum === source.crc32) return;
  problems.add({ code: "checksum", message: `the bytes of "${label}" do not match their checksum`, file });
}
