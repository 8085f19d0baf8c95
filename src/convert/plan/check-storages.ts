import { matchesChecksum } from "../../core/checksum.ts";
import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import type { ByteSource } from "../../core/source.ts";

/**
 * Compares storages with their recorded checksums where no tensor shows all of one, so that streaming the tensors
 * would not tell. Reads each such storage once. Throws kind `malformed` where one is damaged.
 */
export async function checkStorages(dict: TensorDict, context: RunContext): Promise<void> {
  const partial = new Map<ByteSource, string>();
  for (const [name, { view, payload }] of dict.tensors) {
    if (view === undefined || view.source === payload || view.source.crc32 === undefined) continue;
    if (!partial.has(view.source)) partial.set(view.source, name);
  }
  if (partial.size === 0) return;
  for (const { payload } of dict.tensors.values()) partial.delete(payload);
  for (const [source, name] of partial) await checkSource(source, name, context);
}

async function checkSource(source: ByteSource, tensor: string, context: RunContext): Promise<void> {
  if (await matchesChecksum(source, context)) return;
  throw new ConvertError("malformed", `the storage of "${tensor}" does not match its checksum`, {
    file: source.name,
    tensor,
    hint: "the file is damaged; download or save it again",
  });
}

/**
 * Refuses (kind `limit`) an output that is far larger than the storages behind it: many overlapping views, or strides
 * of zero, make much of little.
 */
export function checkGrowth(dict: TensorDict, outputBytes: number, context: RunContext, file: string): void {
  if (outputBytes <= context.limits.expandedBytes) return;
  const storages = new Map<string, number>();
  let own = 0;
  for (const { view, payload } of dict.tensors.values()) {
    if (view) storages.set(view.storage, view.source.size);
    else own += payload.size;
  }
  const stored = [...storages.values()].reduce((sum, bytes) => sum + bytes, own);
  const what = "the tensors overlap so much that they grow when written apart; bytes to add";
  checkLimit(context.limits, "expandedBytes", outputBytes - stored, what, { file });
}
