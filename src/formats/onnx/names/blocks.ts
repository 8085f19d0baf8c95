/** Elements of a tensor in an order of their own: `offset` and `strides` count elements. */
export interface Side {
  readonly tensor: string;
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Elements that a parameter and a stored tensor have in common. A block fills one run of each, whole and without gaps,
 * though in different orders; so it can be followed both ways, out of a graph and into it.
 */
export interface Block {
  readonly shape: readonly number[];
  readonly parameter: Side;
  readonly stored: Side;
}

/** The strides of a contiguous, row-major tensor. */
export function naturalStrides(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let below = 1;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    strides[dim] = below;
    below *= shape[dim] as number;
  }
  return strides;
}

/** The same elements in the same order, whatever the two shapes are called. */
export function sameOrder(parameter: string, stored: string, shape: readonly number[]): Block {
  const strides = naturalStrides(shape);
  return {
    shape,
    parameter: { tensor: parameter, offset: 0, strides },
    stored: { tensor: stored, offset: 0, strides },
  };
}

/** A parameter of `[rows, columns]`, from its row `firstRow` on, that is stored as `[columns, rows]`. */
export function transposed(
  parameter: string,
  stored: string,
  [rows, columns]: readonly [number, number],
  firstRow = 0,
): Block {
  return {
    shape: [rows, columns],
    parameter: { tensor: parameter, offset: firstRow * columns, strides: [columns, 1] },
    stored: { tensor: stored, offset: 0, strides: [1, rows] },
  };
}

/** `count` elements that lie together on both sides. */
export function run(
  parameter: string,
  parameterOffset: number,
  stored: string,
  storedOffset: number,
  count: number,
): Block {
  return {
    shape: [count],
    parameter: { tensor: parameter, offset: parameterOffset, strides: [1] },
    stored: { tensor: stored, offset: storedOffset, strides: [1] },
  };
}
