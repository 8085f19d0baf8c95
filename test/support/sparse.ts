import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { createByteBuilder } from "../../src/bytes/builder.ts";
import { putBytes, putHead, putInt, putText } from "../../src/containers/protobuf/encode.ts";

/** Writes a safetensors file of zeros that takes next to no space on disk: `count` F32 tensors of `bytes` each. */
export function writeSparseSafetensors(path: string, count: number, bytes: number): void {
  const entries = Array.from({ length: count }, (_, index) => {
    const start = index * bytes;
    const entry = { dtype: "F32", shape: [bytes / 4], data_offsets: [start, start + bytes] };
    return [`layer.${index}`, entry];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  const handle = openSync(path, "w");
  writeSync(handle, Buffer.concat([prefix, json]));
  ftruncateSync(handle, prefix.length + json.length + count * bytes);
  closeSync(handle);
}

/** Writes an ONNX model of zeros that takes next to no space on disk: `count` F32 tensors of `bytes` each in the file. */
export function writeSparseOnnx(path: string, count: number, bytes: number): void {
  const heads = Array.from({ length: count }, (_, index) => {
    const facts = createByteBuilder();
    putInt(facts, 1, bytes / 4);
    putInt(facts, 2, 1);
    putText(facts, 8, `layer.${index}`);
    putHead(facts, 9, bytes);
    const inner = facts.finish();
    putHead(facts, 5, inner.length + bytes);
    return Buffer.concat([facts.finish(), inner]);
  });
  const graphBytes = heads.reduce((sum, head) => sum + head.length + bytes, 0);
  const model = createByteBuilder();
  putInt(model, 1, 8);
  putHead(model, 7, graphBytes);
  const start = model.finish();
  const handle = openSync(path, "w");
  let at = writeSync(handle, start);
  for (const head of heads) at += writeSync(handle, head, 0, head.length, at) + bytes;
  ftruncateSync(handle, at);
  closeSync(handle);
}

/** The same model with its tensors in `model.data` beside it. */
export function writeSparseExternalOnnx(path: string, data: string, count: number, bytes: number): void {
  const graph = createByteBuilder();
  for (let index = 0; index < count; index++) {
    const tensor = createByteBuilder();
    putInt(tensor, 1, bytes / 4);
    putInt(tensor, 2, 1);
    putText(tensor, 8, `layer.${index}`);
    for (const [key, value] of Object.entries({
      location: "model.data",
      offset: index * bytes,
      length: bytes,
    })) {
      const pair = createByteBuilder();
      putText(pair, 1, key);
      putText(pair, 2, String(value));
      putBytes(tensor, 13, pair.finish());
    }
    putInt(tensor, 14, 1);
    putBytes(graph, 5, tensor.finish());
  }
  const model = createByteBuilder();
  putInt(model, 1, 8);
  putBytes(model, 7, graph.finish());
  const handle = openSync(path, "w");
  writeSync(handle, model.finish());
  closeSync(handle);
  const zeros = openSync(data, "w");
  ftruncateSync(zeros, count * bytes);
  closeSync(zeros);
}
