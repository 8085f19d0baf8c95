import fc from "fast-check";
import { type TensorDict, tensorDict } from "../../src/core/dict.ts";
import { byteLength, type DType } from "../../src/core/dtype.ts";
import { bytesSource } from "../../src/core/source.ts";
import type { LazyTensor } from "../../src/core/tensor.ts";
import { safetensorsDTypes } from "../../src/formats/safetensors/dtypes.ts";

/** Names as files have them, and as they should not. */
export const tensorName: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      "",
      "__proto__",
      "constructor",
      "../../up",
      "a\0b",
      "0",
      "10",
      'a"b\\c',
      "\u2028",
      "\ufeffx",
    ),
    fc.constantFrom("lm_head.weight", "model.layers.0.weight"),
  )
  .filter((name) => name !== "__metadata__");

/** A tensor of any dtype; a last extent of eights lets packed elements fill whole bytes. */
const lazyTensor: fc.Arbitrary<LazyTensor> = fc
  .record({
    dtype: fc.constantFrom<DType>(...safetensorsDTypes),
    outer: fc.array(fc.nat(3), { maxLength: 3 }),
    eights: fc.nat(2),
    fill: fc.nat(255),
  })
  .map(({ dtype, outer, eights, fill }) => {
    const shape = [...outer, eights * 8];
    const payload = Uint8Array.from(
      { length: byteLength(dtype, shape, {}) },
      (_, index) => (fill + index * 3) % 256,
    );
    return { dtype, shape, payload: bytesSource("payload", payload) };
  });

const metadataKey = fc
  .string({ unit: "binary", minLength: 1, maxLength: 8 })
  .filter((key) => key !== "format");

/** Any tensors under any names, with any metadata. */
export const anyDict: fc.Arbitrary<TensorDict> = fc
  .record({
    names: fc.uniqueArray(tensorName, { maxLength: 8 }),
    tensors: fc.array(lazyTensor, { minLength: 8, maxLength: 8 }),
    metadata: fc.uniqueArray(fc.tuple(metadataKey, fc.string({ unit: "binary" })), {
      selector: ([key]) => key,
      maxLength: 4,
    }),
  })
  .map(({ names, tensors, metadata }) => ({
    ...tensorDict(new Map(names.map((name, index) => [name, tensors[index] as LazyTensor]))),
    metadata: new Map(metadata),
  }));
