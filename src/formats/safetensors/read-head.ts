import { readUint64 } from "../../bytes/size.ts";
import { ConvertError } from "../../core/errors.ts";
import { type ByteSource, type ReadRequest, readBytes } from "../../core/source.ts";
import { maxHeaderBytes } from "./header.ts";

/** The JSON of a header with its padding, and where the tensors begin in the file. Throws kind `malformed`, or `io` for a file cut short. */
export async function readHead(
  source: ByteSource,
  request: ReadRequest,
): Promise<{ readonly header: Uint8Array; readonly dataStart: number }> {
  const file = source.name;
  if (source.size < 8) {
    throw new ConvertError("malformed", `${source.size} bytes cannot hold a safetensors header`, {
      file,
      offset: 0,
    });
  }
  const prefix = await readBytes(source, 0, 8, request);
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
  return { header: await readBytes(source, 8, dataStart, request), dataStart };
}
