import { roundUp } from "../../bytes/size.ts";
import { compareUtf8, encodeUtf8, isWellFormed } from "../../bytes/utf8.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FormatWriter } from "../../core/format.ts";
import type { Piece } from "../../core/plan.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { dtypeRank } from "./dtypes.ts";
import { maxHeaderBytes } from "./header.ts";

/** Writes what `safetensors.torch.save_file` would, byte for byte; several metadata keys are sorted, which it leaves to chance. */
export const writer: FormatWriter = {
  plan(dict, site) {
    const ordered = [...dict.tensors].sort(
      ([nameA, a], [nameB, b]) => rank(a) - rank(b) || compareUtf8(nameA, nameB),
    );
    for (const [name, tensor] of ordered) checkTensor(name, tensor, site.file);
    const header = buildHeader(ordered, metadataOf(dict), site.file);
    return [
      { kind: "bytes", bytes: header },
      ...ordered.map(([tensor, { payload }]): Piece => ({ kind: "payload", tensor, source: payload })),
    ];
  },
};

function rank(tensor: LazyTensor): number {
  return dtypeRank.get(tensor.dtype) ?? -1;
}

function checkTensor(name: string, tensor: LazyTensor, file: string): void {
  if (!dtypeRank.has(tensor.dtype)) {
    throw new ConvertError(
      "unsupported",
      `safetensors has no dtype for "${name}", which is ${tensor.dtype}`,
      {
        file,
        tensor: name,
      },
    );
  }
  if (name === "__metadata__" || !isWellFormed(name)) {
    throw new ConvertError("unsupported", `safetensors cannot hold a tensor named ${JSON.stringify(name)}`, {
      file,
      tensor: name,
    });
  }
}

/** `format` first, as the reference has it when it stands alone; loaders refuse metadata without it. */
function metadataOf(dict: TensorDict): [string, string][] {
  const metadata = new Map([...dict.aliases, ...dict.metadata]);
  metadata.set("format", "pt");
  return [...metadata].sort(([a], [b]) => compareUtf8(a, b));
}

function buildHeader(
  tensors: readonly (readonly [string, LazyTensor])[],
  metadata: readonly (readonly [string, string])[],
  file: string,
): Uint8Array {
  const entries = [
    `"__metadata__":{${metadata.map(([key, value]) => `${json(key)}:${json(value)}`).join(",")}}`,
  ];
  let at = 0;
  for (const [name, { dtype, shape, payload }] of tensors) {
    const end = at + payload.size;
    entries.push(
      `${json(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${at},${end}]}`,
    );
    at = end;
  }
  const text = encodeUtf8(`{${entries.join(",")}}`);
  const padded = roundUp(text.length, 8);
  if (padded > maxHeaderBytes) {
    throw new ConvertError(
      "unsupported",
      `the header would have ${padded} bytes, but safetensors allows ${maxHeaderBytes}`,
      {
        file,
        hint: "write shards (--max-shard-size): each has a header of its own",
      },
    );
  }
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(text, 8);
  return header;
}

function json(text: string): string {
  return JSON.stringify(text);
}
