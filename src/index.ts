/** The library for any platform: bytes come from sources and go to sinks that the caller provides. */
export * from "./core.ts";
export { builtinFormats } from "./formats/index.ts";
export { onnx } from "./formats/onnx/index.ts";
export { pytorch } from "./formats/pytorch/index.ts";
export { safetensors } from "./formats/safetensors/index.ts";
