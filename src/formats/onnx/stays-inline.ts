import { ConvertError } from "../../core/errors.ts";
import type { FilesRequest } from "../../core/format.ts";

/** What protobuf's own libraries, and so nearly every reader, can take as one message. */
const maxMessageBytes = 2 ** 31 - 1;

/**
 * Whether a model that would have so many bytes with its weights in it, `payloadBytes` of them, is to be written like
 * that. Throws kind `usage` where it is demanded and cannot be.
 */
export function staysInline(fileBytes: number, payloadBytes: number, request: FilesRequest): boolean {
  const { externalData, maxShardBytes, file, warn } = request;
  if (externalData === "always") return false;
  if (externalData === "auto") return fileBytes <= maxMessageBytes && payloadBytes <= maxShardBytes;
  if (payloadBytes > maxShardBytes) {
    throw new ConvertError("usage", "an ONNX file that holds its weights cannot be cut into shards", {
      file,
      hint: "leave out --external-data never, or --max-shard-size",
    });
  }
  if (fileBytes > maxMessageBytes) {
    warn({
      code: "beyond-protobuf",
      message: `${file} has ${fileBytes} bytes in one message, and other programs read at most ${maxMessageBytes}`,
    });
  }
  return true;
}
