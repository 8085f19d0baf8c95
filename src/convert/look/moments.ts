/** How often numbers fall between neighbouring edges. */
export interface Histogram {
  /** One more than `counts`. A number on an edge counts above it, on the last one below. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

const binCount = 16;

/** Counts finite numbers from `low` to `high`; a few whole numbers get a bin each. */
export function histogramFor(
  low: number,
  high: number,
  isWhole: boolean,
): { add(numbers: Float64Array): void; result(): Histogram } {
  const isSmall = isWhole && high - low < binCount && Number.isSafeInteger(low) && Number.isSafeInteger(high);
  const edges = isSmall ? wholeEdges(low, high) : evenEdges(low, high);
  const counts = new Float64Array(edges.length - 1);
  const last = counts.length - 1;
  // Halves, since the range itself may be beyond the largest number.
  const start = (edges[0] as number) / 2;
  const width = ((edges[last + 1] as number) / 2 - start) / counts.length;
  return {
    add(numbers) {
      for (const number of numbers) {
        if (number - number !== 0) continue;
        let bin = width === 0 ? 0 : Math.min(last, Math.max(0, Math.floor((number / 2 - start) / width)));
        // The quotient is rounded; the edges decide.
        while (bin < last && number >= (edges[bin + 1] as number)) bin++;
        while (bin > 0 && number < (edges[bin] as number)) bin--;
        counts[bin] = (counts[bin] as number) + 1;
      }
    },
    result: () => ({ edges, counts: [...counts] }),
  };
}

function wholeEdges(low: number, high: number): readonly number[] {
  return Array.from({ length: high - low + 2 }, (_, index) => low + index);
}

function evenEdges(low: number, high: number): readonly number[] {
  if (low === high) return [low, high];
  const edges = Array.from(
    { length: binCount },
    (_, index) => 2 * (low / 2 + (high / 2 - low / 2) * (index / binCount)),
  );
  return [...edges, high];
}

/** Mean and standard deviation (n - 1) of the finite numbers, of which the least and the greatest are known. */
export function momentsFor(
  low: number,
  high: number,
): { add(numbers: Float64Array): void; result(): { mean: number; std: number | undefined } } {
  // A power of two, so that no square and no sum leaves the range of a double.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const exponent = size === 0 ? 0 : Math.max(-1000, Math.min(1000, Math.ceil(Math.log2(size))));
  const scale = 2 ** -exponent;
  // Counted from the least, equal numbers deviate by nothing at all.
  const origin = low * scale;
  let count = 0;
  let mean = 0;
  let squares = 0;
  return {
    add(numbers) {
      const block = blockMoments(numbers, scale, origin);
      if (block.count === 0) return;
      const total = count + block.count;
      const apart = block.mean - mean;
      // Chan, Golub and LeVeque, 1979: moments of two sets as those of their union.
      squares += block.squares + (apart * apart * count * block.count) / total;
      mean += (apart * block.count) / total;
      count = total;
    },
    result: () => ({
      mean: (origin + mean) / scale,
      std: count < 2 ? undefined : Math.sqrt(squares / (count - 1)) / scale,
    }),
  };
}

/** Two walks over numbers that fit the cache: the mean first, then the squares of what deviates from it. */
function blockMoments(
  numbers: Float64Array,
  scale: number,
  origin: number,
): { readonly count: number; readonly mean: number; readonly squares: number } {
  let count = 0;
  let sum = 0;
  for (const number of numbers) {
    if (number - number !== 0) continue;
    sum += number * scale - origin;
    count++;
  }
  if (count === 0) return { count, mean: 0, squares: 0 };
  const mean = sum / count;
  let squares = 0;
  for (const number of numbers) {
    if (number - number !== 0) continue;
    const apart = number * scale - origin - mean;
    squares += apart * apart;
  }
  return { count, mean, squares };
}
