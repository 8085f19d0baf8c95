import type { Format } from "../../core/format.ts";
import { onnxDTypeFor } from "./dtypes.ts";

/** ONNX, IR version 3 to 14: a protobuf message, with weights in it or beside it. */
export const onnx: Format = {
  id: "onnx",
  title: "ONNX",
  extensions: [".onnx"],
  storable: new Set(onnxDTypeFor.keys()),
  sharesStorage: false,
  holdsMetadata: true,
  folderStem: "model",
  detect: () => "no",
  loadWriter: () => import("./write.ts").then((module) => module.writer),
};
