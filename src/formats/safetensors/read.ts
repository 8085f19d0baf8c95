import { readUint64 } from "../../bytes/size.ts";
import { singleDict, splitMetadata } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FormatReader } from "../../core/format.ts";
import { checkLimit } from "../../core/limits.ts";
import { readBytes, section } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { maxHeaderBytes, parseHeader } from "./header.ts";

/** Reads one safetensors file; its tensors come in the order of their bytes. */
export const reader: FormatReader = {
  async read(source, _folder, context) {
    const file = source.name;
    if (source.size < 8) {
      throw new ConvertError("malformed", `${source.size} bytes cannot hold a safetensors header`, {
        file,
        offset: 0,
      });
    }
    const prefix = await readBytes(source, 0, 8, context);
    const headerBytes = readUint64(new DataView(prefix.buffer), 0);
    if (headerBytes === undefined || headerBytes > maxHeaderBytes) {
      throw new ConvertError("malformed", `the header is said to have more than ${maxHeaderBytes} bytes`, {
        file,
        offset: 0,
        hint: "the file is probably no safetensors file",
      });
    }
    const dataStart = 8 + headerBytes;
    if (dataStart > source.size) {
      throw new ConvertError(
        "io",
        `the header is said to end at byte ${dataStart}, but the file has ${source.size}`,
        {
          file,
          offset: 0,
          hint: "the file is cut short; download or save it again",
        },
      );
    }
    const header = parseHeader(await readBytes(source, 8, dataStart, context), source.size - dataStart, file);
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
