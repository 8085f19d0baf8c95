import type { PickleHandlers, PickleRun } from "../../../containers/pickle/machine.ts";
import {
  isGlobal,
  isKind,
  type PickleGlobal,
  type PickleHost,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import { type ByteSource, section } from "../../../core/source.ts";
import { host } from "../values/torch-values.ts";

type Below = (depth: number) => PickleValue | undefined;

/**
 * Leaves the elements of NumPy arrays where they are in the pickle, as ranges of `source`. Only operands that stand
 * where an array has its elements are passed over: behind the flag and the dtype of its state, or as the first argument
 * of its maker (FORMAT.md, "NumPy arrays"). What can only be unpacked in order is read. Throws kind `malformed` for a range that leaves the file.
 */
export function arrayPayloads(source: ByteSource): Pick<PickleHandlers, "payload"> {
  if (source.isSequential) return {};
  return {
    payload(run, below) {
      return isElements(run, below) ? rangeOf(run, source) : undefined;
    },
  };
}

function rangeOf({ offset, length, isText }: PickleRun, source: ByteSource): PickleHost {
  const range = section(source, offset, offset + length, `${source.name}@${offset}`);
  return host({ type: "array-bytes", source: range, isText });
}

function isElements({ isText }: PickleRun, below: Below): boolean {
  // Protocol 2 has no bytes: it writes _codecs.encode(text, "latin1").
  if (isText) return isGlobal(below(0), "_codecs", "encode") && endsState(below, 1);
  const nearest = below(0);
  return endsState(below, 0) || (isKind(nearest, "global") && isFromBuffer(nearest));
}

/** `(version, shape, dtype, isFortran, elements)` */
function endsState(below: Below, first: number): boolean {
  const dtype = below(first + 1);
  return (
    typeof below(first) === "boolean" && isKind(dtype, "call") && isGlobal(dtype.callable, "numpy", "dtype")
  );
}

/** Whether a global makes an array of a buffer, as protocol 5 does it. */
export function isFromBuffer({ module, name }: PickleGlobal): boolean {
  return name === "_frombuffer" && /^numpy\.(_?core\.)numeric$/.test(module);
}
