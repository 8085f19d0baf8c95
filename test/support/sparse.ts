import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

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
