import type { Format } from "../../core/format.ts";
import { isOnnx } from "./detect.ts";
import { onnxDTypeFor } from "./dtypes.ts";

/** ONNX models, their weights in the file or beside it. FORMAT.md beside this file has the details. */
export const onnx: Format = {
  id: "onnx",
  title: "ONNX",
  extensions: [".onnx"],
  storable: new Set(onnxDTypeFor.keys()),
  sharesStorage: false,
  holdsMetadata: true,
  holdsGraphs: true,
  folderStem: "model",
  detect: (probe) => (isOnnx(probe) ? "likely" : "no"),
  loadReader: () => import("./read.ts").then((module) => module.reader),
  loadWriter: () => import("./write.ts").then((module) => module.writer),
  loadRewriter: () => import("./rewrite.ts").then((module) => module.rewriter),
  loadTemplater: () => import("./swap/swap.ts").then((module) => module.templater),
};
