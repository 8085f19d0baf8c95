import { ConvertError } from "../../../core/errors.ts";
import type { Value } from "../../values/value.ts";

/** An int as 64 bits hold it: torch's ints overflow. */
export function wrapped(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** Rounded towards minus infinity, as Python does. */
export function floorDivide(left: bigint, right: bigint): bigint {
  if (right === 0n) throw new ConvertError("unsupported", "the program divides by zero");
  const quotient = left / right;
  return quotient * right !== left && left < 0n !== right < 0n ? quotient - 1n : quotient;
}

/** Of floats, with the sign of the divisor. */
export function modulo(left: number, right: number): number {
  return left - Math.floor(left / right) * right;
}

/** A float where the exponent is negative. Throws kind `unsupported` beyond 64 bits. */
export function power(left: bigint, right: bigint): Value {
  if (right < 0n) return Number(left) ** Number(right);
  if (right > 64n && left !== 0n && left !== 1n && left !== -1n)
    throw new ConvertError("unsupported", "the program raises an int beyond 64 bits");
  const result = left ** right;
  if (result !== wrapped(result))
    throw new ConvertError("unsupported", "the program raises an int beyond 64 bits");
  return result;
}

/** To the left, or to the right by a negative number of bits. */
export function shift(left: bigint, right: bigint): bigint {
  if (right < -63n || right > 63n)
    throw new ConvertError("unsupported", `the program shifts an int by ${right} bits`);
  return wrapped(left << right);
}
