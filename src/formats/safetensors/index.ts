import { readUint64 } from "../../bytes/size.ts";
import type { Format, Probe } from "../../core/format.ts";
import { safetensorsDTypes } from "./dtypes.ts";

/** safetensors 0.8: a JSON header, then the tensors without gaps. FORMAT.md beside this file has the details. */
export const safetensors: Format = {
  id: "safetensors",
  title: "safetensors",
  extensions: [".safetensors"],
  storable: new Set(safetensorsDTypes),
  sharesStorage: false,
  holdsMetadata: true,
  folderStem: "model",
  detect,
  loadReader: () => import("./read.ts").then((module) => module.reader),
  loadEditor: () => import("./edit.ts").then((module) => module.editor),
  loadWriter: () => import("./write.ts").then((module) => module.writer),
};

function detect({ head, size }: Probe): "certain" | "likely" | "no" {
  if (head.length < 9) return "no";
  const headerBytes = readUint64(new DataView(head.buffer, head.byteOffset, 8), 0);
  const first = head
    .subarray(8)
    .find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  if (first !== 0x7b || headerBytes === undefined) return "no";
  return 8 + headerBytes <= size ? "certain" : "likely";
}
