import { ConvertError } from "../../core/errors.ts";
import { intAttribute } from "../../core/graph.ts";
import {
  type Atom,
  boundsOf,
  type Dimension,
  isSymbolic,
  type SymbolicDimension,
  type Term,
} from "../shapes/dimension.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constant, integers, type Operand } from "./operand.ts";

/** Where a symbol's number is found when the graph runs: an extent of a value, or a 0-d value itself. */
export interface SymbolSource {
  readonly operand: Operand;
  /** `undefined` where the operand's one element is the number. */
  readonly axis: number | undefined;
}

/** Makes nodes for a known tensor that holds symbolic sizes. `sizes` remembers what the block at hand has computed. */
export function materializeKnown(
  builder: GraphBuilder,
  operand: Operand,
  symbols: ReadonlyMap<string, SymbolSource>,
  sizes: Map<string, Operand>,
): Operand {
  const flat = flatSizes(builder, operand.known ?? [], symbols, sizes);
  const cast =
    operand.dtype === "I64"
      ? flat
      : builder.node(
          "Cast",
          [flat],
          { dtype: operand.dtype, shape: flat.shape },
          { to: intAttribute(castCode(operand.dtype)) },
        );
  if (operand.shape.length === 1) return cast;
  const target = constant("I64", [operand.shape.length], operand.shape);
  return builder.node("Reshape", [cast, target], { dtype: operand.dtype, shape: operand.shape });
}

function castCode(dtype: string): number {
  const codes: Readonly<Record<string, number>> = { F32: 1, I32: 6, F16: 10, F64: 11, BOOL: 9 };
  const code = codes[dtype];
  if (code === undefined) throw new ConvertError("unsupported", `sizes as ${dtype} are not supported`);
  return code;
}

/** A 1-d tensor of sizes: neighbours that are plain numbers stay together as one constant. */
function flatSizes(
  builder: GraphBuilder,
  values: readonly Dimension[],
  symbols: ReadonlyMap<string, SymbolSource>,
  sizes: Map<string, Operand>,
): Operand {
  const parts: Operand[] = [];
  let plain: number[] = [];
  const flush = (): void => {
    if (plain.length > 0) parts.push(integers(plain));
    plain = [];
  };
  for (const value of values) {
    if (isSymbolic(value)) {
      flush();
      parts.push(sizeOf(builder, value, symbols, sizes));
    } else plain.push(value);
  }
  flush();
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return builder.node("Concat", parts, { dtype: "I64", shape: [values.length] }, { axis: intAttribute(0) });
}

const sizeType = { dtype: "I64", shape: [1] } as const;

/** One size as a tensor of shape [1]. */
function sizeOf(
  builder: GraphBuilder,
  value: SymbolicDimension,
  symbols: ReadonlyMap<string, SymbolSource>,
  sizes: Map<string, Operand>,
): Operand {
  const known = sizes.get(value.key);
  if (known !== undefined) return known;
  const ofDimension = (dimension: Dimension): Operand =>
    isSymbolic(dimension) ? sizeOf(builder, dimension, symbols, sizes) : integers([dimension]);
  const ofTerm = ({ coefficient, atoms }: Term): Operand => {
    const factors = atoms.map((atom) => atomSize(builder, atom, symbols, ofDimension));
    if (coefficient !== 1 || factors.length === 0) factors.unshift(integers([coefficient]));
    return factors.reduce((product, factor) => builder.node("Mul", [product, factor], sizeType));
  };
  const sum = value.terms.map(ofTerm).reduce((left, right) => builder.node("Add", [left, right], sizeType));
  sizes.set(value.key, sum);
  return sum;
}

const computedBy = { quotient: "Div", remainder: "Mod", smaller: "Min", larger: "Max" } as const;

function atomSize(
  builder: GraphBuilder,
  atom: Atom,
  symbols: ReadonlyMap<string, SymbolSource>,
  ofDimension: (dimension: Dimension) => Operand,
): Operand {
  if (atom.kind !== "symbol") {
    const [left, right] = [ofDimension(atom.left), ofDimension(atom.right)];
    if (atom.kind !== "quotient" || boundsOf(atom.left).least >= 0)
      return builder.node(computedBy[atom.kind], [left, right], sizeType);
    // ONNX rounds towards zero, Python down: what Mod leaves, with the sign of the divisor, is taken off first.
    const whole = builder.node("Sub", [left, builder.node("Mod", [left, right], sizeType)], sizeType);
    return builder.node("Div", [whole, right], sizeType);
  }
  const source = symbols.get(atom.name);
  if (source === undefined)
    throw new ConvertError("unsupported", `the size ${atom.name} is used, but nothing in the graph has it`);
  const { operand, axis } = source;
  if (axis === undefined) return builder.node("Reshape", [operand, integers([1])], sizeType);
  return builder.node("Shape", [operand], sizeType, {
    start: intAttribute(axis),
    end: intAttribute(axis + 1),
  });
}
