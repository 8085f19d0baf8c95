import type { Format } from "../core/format.ts";
import { onnx } from "./onnx/index.ts";
import { pytorch } from "./pytorch/index.ts";
import { safetensors } from "./safetensors/index.ts";

/** Every format that comes with the package. There is no registry: a caller passes the list that it wants. */
export const builtinFormats: readonly Format[] = [safetensors, pytorch, onnx];
