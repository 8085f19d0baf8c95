import type { Probe } from "../../core/format.ts";

/** A kind of file that is not ours, and what a person who has it should do. */
export interface ForeignKind {
  readonly what: string;
  readonly hint: string;
}

interface Signature extends ForeignKind {
  readonly at: number;
  /** Latin-1, one character for each byte; letters are compared in lower case. */
  readonly text: string;
}

const unpack = "unpack it first, then convert what is inside";
const webPage = "download the file itself; on the Hub its address has /resolve/, not /blob/";
const repickle = "load it with the library that wrote it and save it with torch.save";

/** In the order in which they are tried. */
const signatures: readonly Signature[] = [
  {
    at: 0,
    text: "version https://git-lfs",
    what: "a Git LFS pointer: three lines of text that stand for the real file",
    hint: "run git lfs pull, or download the file from the Hub",
  },
  { at: 0, text: "<!doctype", what: "a web page", hint: webPage },
  { at: 0, text: "<html", what: "a web page", hint: webPage },
  { at: 0, text: "<?xml", what: "an XML document", hint: webPage },
  {
    at: 0,
    text: "PK\x05\x06",
    what: "an empty zip archive",
    hint: "the save did not finish; save the model again",
  },
  {
    at: 0,
    text: "PYTORCH1",
    what: "a container of a PyTorch preview before 1.0",
    hint: "no released torch reads it either",
  },
  { at: 0, text: "\x1f\x8b", what: "a gzip archive", hint: unpack },
  {
    at: 0,
    text: "7z\xbc\xaf\x27\x1c",
    what: "a 7-Zip archive",
    hint: `${unpack}; torch.load does not open it, which is a known disguise`,
  },
  { at: 0, text: "BZh", what: "a bzip2 archive", hint: unpack },
  { at: 0, text: "\xfd7zXZ", what: "an xz archive", hint: unpack },
  { at: 0, text: "\x28\xb5\x2f\xfd", what: "a zstd archive", hint: unpack },
  { at: 0, text: "Rar!", what: "a RAR archive", hint: unpack },
  {
    at: 0,
    text: "GGUF",
    what: "a GGUF model (llama.cpp)",
    hint: "its weights may be quantized; use the model it was made from",
  },
  {
    at: 0,
    text: "\x89HDF",
    what: "an HDF5 file (Keras)",
    hint: "convert it with the framework that wrote it",
  },
  {
    at: 0,
    text: "\x93NUMPY",
    what: "a NumPy array",
    hint: "load it with numpy and save the tensors with safetensors",
  },
  {
    at: 4,
    text: "ORTM",
    what: "a model in the ORT format of ONNX Runtime",
    hint: "use the .onnx file that it was made from",
  },
  {
    at: 4,
    text: "TFL3",
    what: "a TensorFlow Lite model",
    hint: "convert it with the framework that wrote it",
  },
  { at: 4, text: "ET12", what: "an ExecuTorch program", hint: "use the model it was made from" },
  { at: 0, text: "\x80\x02", what: "a bare pickle", hint: repickle },
  { at: 0, text: "\x80\x03", what: "a bare pickle", hint: repickle },
  { at: 0, text: "\x80\x04", what: "a bare pickle", hint: repickle },
  { at: 0, text: "\x80\x05", what: "a bare pickle", hint: repickle },
];

/** What a file is that no format knows, as far as its first bytes tell. */
export function recogniseForeign({ head, size }: Probe): ForeignKind | undefined {
  if (size === 0) return { what: "empty", hint: "the download or the save did not happen; try it again" };
  if (head.every((byte) => byte === 0)) {
    return {
      what: "nothing but zeros at its start",
      hint: "the download was probably cut off; try it again",
    };
  }
  const text = String.fromCharCode(...head.subarray(0, 512)).toLowerCase();
  const start = text.length - text.trimStart().length;
  return signatures.find((signature) => {
    const at = signature.text.startsWith("<") ? start : signature.at;
    return text.startsWith(signature.text.toLowerCase(), at);
  });
}
