/** Patterns of files that are kept apart from git's own objects; the Hub's list lacks the last three, which conversions make. */
const patterns = [
  "*.bin",
  "*.ckpt",
  "*.msgpack",
  "*.onnx",
  "*.pt",
  "*.pth",
  "*.safetensors",
  "*.onnx_data",
  "*.onnx.data",
  "*.data",
];

/** A `.gitattributes` for a repository of weights, as people need who push with git; the Hub's own protocol does without. */
export function gitAttributes(): string {
  return patterns.map((pattern) => `${pattern} filter=lfs diff=lfs merge=lfs -text\n`).join("");
}
