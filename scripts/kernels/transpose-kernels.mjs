// The text of transpose-kernels: a loop over square blocks of a matrix, one for each width of elements. A block has as
// many rows as fit elements in a vector of 16 bytes; it is loaded, transposed in registers and stored.

/** Loops over blocks of 16 bytes to the square; see src/strides/transposer.ts for what the arguments mean. */
export function transposeKernels() {
  return `(module
  (memory (export "memory") 10)
${[1, 2, 4, 8].map(kernel).join("\n")})
`;
}

/** The places of `(from, from + count)` elements of two vectors in turn, as bytes of the pair. */
function interleaved(from, count, itemBytes) {
  const bytes = [];
  for (let item = from; item < from + count; item++) {
    for (const vector of [0, 16])
      for (let byte = 0; byte < itemBytes; byte++) bytes.push(vector + item * itemBytes + byte);
  }
  return bytes.join(" ");
}

/**
 * Every stage takes a vector of the first half and one of the second, and puts their elements in turn. That rotates
 * the bits of an element's number by one place; after as many stages as a row's number has bits, row and column
 * have changed places.
 */
function stages(side, itemBytes) {
  const low = interleaved(0, side / 2, itemBytes);
  const high = interleaved(side / 2, side / 2, itemBytes);
  let [now, next] = ["a", "b"];
  const lines = [];
  for (let stage = 1; stage < side; stage *= 2) {
    for (let index = 0; index < side / 2; index++) {
      const pair = `(local.get $${now}${index}) (local.get $${now}${index + side / 2})`;
      lines.push(`(local.set $${next}${2 * index} (i8x16.shuffle ${low} ${pair}))`);
      lines.push(`(local.set $${next}${2 * index + 1} (i8x16.shuffle ${high} ${pair}))`);
    }
    [now, next] = [next, now];
  }
  return { lines, result: now };
}

function kernel(itemBytes) {
  const side = 16 / itemBytes;
  const indexes = Array.from({ length: side }, (_, index) => index);
  const { lines, result } = stages(side, itemBytes);
  const step = (position, by) =>
    `(local.set $${position} (i32.add (local.get $${position}) (local.get $${by})))`;
  const loads = indexes.flatMap((index) => [
    `(local.set $a${index} (v128.load (local.get $read)))`,
    step("read", "fromStep"),
  ]);
  const stores = indexes.flatMap((index) => [
    `(v128.store (local.get $write) (local.get $${result}${index}))`,
    step("write", "toStep"),
  ]);
  return `  (func (export "transpose${8 * itemBytes}")
    (param $from i32) (param $to i32) (param $rows i32) (param $columns i32) (param $fromStep i32) (param $toStep i32)
    (local $row i32) (local $read i32) (local $write i32)
    ${["a", "b"].flatMap((half) => indexes.map((index) => `(local $${half}${index} v128)`)).join(" ")}
    (loop $nextColumns
      (local.set $row (i32.const 0))
      (local.set $read (local.get $from))
      (loop $nextRows
        (local.set $write (i32.add (local.get $to) (i32.mul (local.get $row) (i32.const ${itemBytes}))))
        ${[...loads, ...lines, ...stores].join("\n        ")}
        (local.set $row (i32.add (local.get $row) (i32.const ${side})))
        (br_if $nextRows (i32.lt_s (local.get $row) (local.get $rows))))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.mul (local.get $toStep) (i32.const ${side}))))
      (local.set $columns (i32.sub (local.get $columns) (i32.const ${side})))
      (br_if $nextColumns (i32.gt_s (local.get $columns) (i32.const 0)))))
`;
}
