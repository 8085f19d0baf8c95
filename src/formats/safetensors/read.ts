import { singleDict, splitMetadata } from "../../core/dict.ts";
import type { FormatReader } from "../../core/format.ts";
import { checkLimit } from "../../core/limits.ts";
import { section } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { parseHeader } from "./header.ts";
import { readHead } from "./read-head.ts";

/** Reads one safetensors file; its tensors come in the order of their bytes. */
export const reader: FormatReader = {
  async read(source, _folder, context) {
    const file = source.name;
    const head = await readHead(source, context);
    const { dataStart } = head;
    const header = parseHeader(head.header, source.size - dataStart, file);
    checkLimit(context.limits, "entries", header.tensors.length, "the number of tensors", { file });
    const tensors = new Map<string, LazyTensor>();
    for (const { name, dtype, shape, start, end } of header.tensors) {
      tensors.set(name, {
        dtype,
        shape,
        payload: section(source, dataStart + start, dataStart + end, `${file}#${name}`),
      });
    }
    const strings = splitMetadata(header.metadata, tensors);
    return singleDict("safetensors", { tensors, ...strings, leftovers: [], extras: new Map() });
  },
};
