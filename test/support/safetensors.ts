import { Buffer } from "node:buffer";

/** A tensor as a safetensors header tells of it, with its bytes. */
export interface PlainTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A safetensors file by hand, its tensors in the order given. */
export function safetensorsBytes(tensors: Readonly<Record<string, PlainTensor>>): Uint8Array {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const start = end;
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, ...Object.values(tensors).map(({ bytes }) => bytes)]);
}

/** An F32 tensor of one dimension. */
export function singles(...values: readonly number[]): PlainTensor {
  return {
    dtype: "F32",
    shape: [values.length],
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  };
}
