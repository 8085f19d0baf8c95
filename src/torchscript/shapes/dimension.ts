/** An extent, index or other integer that may depend on what the graph is given when it runs. */
export type Dimension = number | SymbolicDimension;

/** The extents of a tensor, row-major. */
export type Shape = readonly Dimension[];

/** A sum of products of symbols, kept in one normal form so that equal expressions have equal keys. */
export interface SymbolicDimension {
  readonly kind: "symbolic";
  readonly terms: readonly Term[];
  /** The normal form as text, such as `2*N + 1`. */
  readonly key: string;
  /** What it is for the sizes that the compilation takes as an example; `undefined` where only data tell. */
  readonly hint: number | undefined;
}

/** `coefficient * atoms[0] * atoms[1] …`; no atoms stand for the number alone. */
export interface Term {
  readonly coefficient: number;
  readonly atoms: readonly Atom[];
}

/** Between which numbers an integer lies, both included. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** The bounds of a number of which nothing is known. */
export const anyInteger: Bounds = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };

/**
 * What a sum is made of: a symbol; the floor of a quotient (or its remainder) that did not come out even; or the smaller
 * or larger of two of which the data decide.
 */
export type Atom =
  | {
      readonly kind: "symbol";
      readonly name: string;
      readonly hint: number | undefined;
      readonly key: string;
      readonly bounds: Bounds;
    }
  | {
      readonly kind: "quotient" | "remainder" | "smaller" | "larger";
      readonly left: Dimension;
      readonly right: Dimension;
      readonly hint: number | undefined;
      readonly key: string;
    };

/** Whether a value is one of ours. */
export function isSymbolic(value: unknown): value is SymbolicDimension {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "symbolic";
}

/** A symbol by itself. Names are unique within a graph. */
export function symbol(
  name: string,
  hint: number | undefined,
  bounds: Bounds = anyInteger,
): SymbolicDimension {
  return ofTerms([
    { coefficient: 1, atoms: [{ kind: "symbol", name, hint, key: name, bounds }] },
  ]) as SymbolicDimension;
}

/** Whether only data tell what a size is: not even the example does. */
export function isFromData(dimension: unknown): dimension is SymbolicDimension {
  return isSymbolic(dimension) && dimension.hint === undefined;
}

/** Numbers that a dimension certainly lies between. */
export function boundsOf(dimension: Dimension): Bounds {
  if (typeof dimension === "number") return { least: dimension, most: dimension };
  return dimension.terms
    .map(({ coefficient, atoms }) =>
      atoms.map(boundsOfAtom).reduce(productBounds, { least: coefficient, most: coefficient }),
    )
    .reduce((sum, own) => ({ least: sum.least + own.least, most: sum.most + own.most }), {
      least: 0,
      most: 0,
    });
}

function boundsOfAtom(atom: Atom): Bounds {
  if (atom.kind === "symbol") return atom.bounds;
  const [left, right] = [boundsOf(atom.left), boundsOf(atom.right)];
  const pick = atom.kind === "smaller" ? Math.min : Math.max;
  if (atom.kind === "smaller" || atom.kind === "larger")
    return { least: pick(left.least, right.least), most: pick(left.most, right.most) };
  if (right.least < 1) return anyInteger;
  if (atom.kind === "remainder") return { least: 0, most: right.most - 1 };
  if (left.least < 0) return { least: left.least, most: Math.max(left.most, 0) };
  return { least: 0, most: Math.floor(left.most / right.least) };
}

function productBounds(left: Bounds, right: Bounds): Bounds {
  const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
  const corners = [left.least, left.most].flatMap((a) => [times(a, right.least), times(a, right.most)]);
  return { least: Math.min(...corners), most: Math.max(...corners) };
}

/** The smaller of two; left to the runtime where it cannot be told now. */
export function smallerOf(left: Dimension, right: Dimension): Dimension {
  const [a, b] = [boundsOf(left), boundsOf(right)];
  if (isSameDimension(left, right) || a.most <= b.least) return left;
  return b.most <= a.least ? right : atomOf("smaller", left, right, Math.min);
}

/** The larger of two; left to the runtime where it cannot be told now. */
export function largerOf(left: Dimension, right: Dimension): Dimension {
  const [a, b] = [boundsOf(left), boundsOf(right)];
  if (isSameDimension(left, right) || a.least >= b.most) return left;
  return b.least >= a.most ? right : atomOf("larger", left, right, Math.max);
}

/** The number that a dimension is, or is in the example. */
export function hintOf(dimension: Dimension): number | undefined {
  return typeof dimension === "number" ? dimension : dimension.hint;
}

/** The sum, a plain number where no symbol is left. */
export function addDimensions(left: Dimension, right: Dimension): Dimension {
  if (typeof left === "number" && typeof right === "number") return left + right;
  return ofTerms([...termsOf(left), ...termsOf(right)]);
}

/** The difference, which may be negative. */
export function subtractDimensions(left: Dimension, right: Dimension): Dimension {
  return addDimensions(left, multiplyDimensions(right, -1));
}

/** The product, multiplied out. */
export function multiplyDimensions(left: Dimension, right: Dimension): Dimension {
  if (typeof left === "number" && typeof right === "number") return left * right;
  const products = termsOf(left).flatMap((a) =>
    termsOf(right).map((b) => ({
      coefficient: a.coefficient * b.coefficient,
      atoms: [...a.atoms, ...b.atoms].sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0)),
    })),
  );
  return ofTerms(products);
}

/** The floor of the quotient, as Python's `//`; a divisor of 0 gives NaN, which no caller may use. */
export function divideDimensions(left: Dimension, right: Dimension): Dimension {
  if (typeof left === "number" && typeof right === "number") return Math.floor(left / right);
  return exactQuotient(left, right) ?? atomOf("quotient", left, right, (a, b) => Math.floor(a / b));
}

/** The remainder with the sign of the divisor, as Python's `%`. */
export function remainderOfDimensions(left: Dimension, right: Dimension): Dimension {
  if (typeof left === "number" && typeof right === "number") return left - Math.floor(left / right) * right;
  if (exactQuotient(left, right) !== undefined) return 0;
  return atomOf("remainder", left, right, (a, b) => a - Math.floor(a / b) * b);
}

/** The product of all extents: how many elements there are. */
export function elementsOf(shape: Shape): Dimension {
  return shape.reduce<Dimension>((product, extent) => multiplyDimensions(product, extent), 1);
}

/** Whether two are the same whatever the inputs are. */
export function isSameDimension(left: Dimension, right: Dimension): boolean {
  if (typeof left === "number" || typeof right === "number") return left === right;
  return left.key === right.key;
}

/** Whether two shapes are the same whatever the inputs are. */
export function isSameShape(left: Shape, right: Shape): boolean {
  return (
    left.length === right.length &&
    left.every((extent, axis) => isSameDimension(extent, right[axis] as Dimension))
  );
}

/** A shape without symbols; `undefined` where there is one. */
export function staticShape(shape: Shape): readonly number[] | undefined {
  return shape.every((extent) => typeof extent === "number") ? (shape as readonly number[]) : undefined;
}

/** How many extents of a shape are shown to people. */
const maxShown = 64;

/** A shape for people: `[N, 3, 2*H]`. */
export function shapeText(shape: Shape): string {
  const texts = shape.slice(0, maxShown).map(dimensionText);
  return `[${texts.join(", ")}${shape.length > maxShown ? ", …" : ""}]`;
}

/** A dimension for people: `2*N + 1`. */
export function dimensionText(dimension: Dimension): string {
  return typeof dimension === "number" ? String(dimension) : dimension.key;
}

function termsOf(dimension: Dimension): readonly Term[] {
  return typeof dimension === "number" ? [{ coefficient: dimension, atoms: [] }] : dimension.terms;
}

/** Collects equal products, drops zeros, and gives a plain number where no symbol is left. */
function ofTerms(terms: readonly Term[]): Dimension {
  const sums = new Map<string, Term>();
  for (const { coefficient, atoms } of terms) {
    const key = atoms.map((atom) => atom.key).join("*");
    sums.set(key, { coefficient: coefficient + (sums.get(key)?.coefficient ?? 0), atoms });
  }
  const kept = [...sums].filter(([, term]) => term.coefficient !== 0).sort(([a], [b]) => (a < b ? 1 : -1));
  const [only] = kept;
  if (only === undefined) return 0;
  if (kept.length === 1 && only[0] === "") return only[1].coefficient;
  const texts = kept.map(([key, { coefficient }]) =>
    key === "" ? String(coefficient) : coefficient === 1 ? key : `${coefficient}*${key}`,
  );
  const normal = kept.map(([, term]) => term);
  return { kind: "symbolic", terms: normal, key: texts.join(" + "), hint: hintOfTerms(normal) };
}

function hintOfTerms(terms: readonly Term[]): number | undefined {
  let sum = 0;
  for (const { coefficient, atoms } of terms) {
    let product = coefficient;
    for (const { hint } of atoms) {
      if (hint === undefined) return undefined;
      product *= hint;
    }
    sum += product;
  }
  return sum;
}

/** `(6*N*C + 3*N) / (3*N)`: the quotient by a single product where each term holds it. */
function exactQuotient(left: Dimension, right: Dimension): Dimension | undefined {
  const [divisor, ...more] = termsOf(right);
  if (divisor === undefined || more.length > 0) return undefined;
  const quotients: Term[] = [];
  for (const { coefficient, atoms } of termsOf(left)) {
    const rest = [...atoms];
    for (const atom of divisor.atoms) {
      const at = rest.findIndex(({ key }) => key === atom.key);
      if (at < 0) return undefined;
      rest.splice(at, 1);
    }
    if (coefficient % divisor.coefficient !== 0) return undefined;
    quotients.push({ coefficient: coefficient / divisor.coefficient, atoms: rest });
  }
  return ofTerms(quotients);
}

const signs = { quotient: "//", remainder: "%", smaller: "min", larger: "max" } as const;

function atomOf(
  kind: Exclude<Atom["kind"], "symbol">,
  left: Dimension,
  right: Dimension,
  compute: (left: number, right: number) => number,
): Dimension {
  const a = hintOf(left);
  const b = hintOf(right);
  const hint = a === undefined || b === undefined ? undefined : compute(a, b);
  const key = `((${dimensionText(left)}) ${signs[kind]} (${dimensionText(right)}))`;
  return ofTerms([{ coefficient: 1, atoms: [{ kind, left, right, hint, key }] }]);
}
