import { createByteBuilder } from "../../bytes/builder.ts";
import { encodeSurrogatePass, utf8Length } from "../../bytes/utf8.ts";
import { ConvertError } from "../../core/errors.ts";
import { isKind, type PickleCall, type PickleHost, type PickleValue } from "./values.ts";

/** A step of the encoder: a value to write, or something to do once the values before it are written. */
type Task =
  | { readonly value: PickleValue }
  | { readonly codes: readonly number[] }
  | { readonly memoize: PickleValue }
  | { readonly run: () => void };

/**
 * Writes a value as a pickle of protocol 2 with the opcodes that every torch since 1.13 accepts under
 * `weights_only`. Values that occur twice are written once and recalled, so sharing and cycles survive. Iterative:
 * values nest as deep as they like. `replace` may put another value in the place of one, the same each time. `expand` makes
 * what stands for a host value, when it is written: calls and tuples of its own, which are written without being
 * remembered, and of which a checkpoint may have a hundred thousand. Throws kind `unsupported` for what has no pickled
 * form of its own.
 */
export function encodePickle(
  root: PickleValue,
  replace: (value: PickleValue) => PickleValue | undefined = () => undefined,
  expand: (value: PickleHost) => PickleValue | undefined = () => undefined,
): Uint8Array {
  const out = createByteBuilder();
  const memo = new Map<PickleValue, number>();
  const tasks: Task[] = [];
  /** Values begun and not yet remembered: meeting one again means that it contains itself. */
  const begun = new Set<PickleValue>();
  /** Tuples that were met within themselves, and begun a second time. */
  const begunAgain = new Set<PickleValue>();

  /** Remembers what was just written under the next free index. */
  function memoize(value: PickleValue): void {
    const index = memo.size;
    memo.set(value, index);
    begun.delete(value);
    if (index < 256) out.u8(0x71).u8(index);
    else out.u8(0x72).u32(index);
  }

  /** Later tasks first: they come off the stack in the order given here. */
  function schedule(steps: readonly Task[]): void {
    for (let at = steps.length - 1; at >= 0; at--) tasks.push(steps[at] as Task);
  }

  function op(...codes: readonly number[]): Task {
    return { codes };
  }

  /** Writes a recall of what was remembered; whether it was. */
  function recall(value: PickleValue): boolean {
    const index = isMemoized(value) ? memo.get(value) : undefined;
    if (index === undefined) return false;
    if (index < 256) out.u8(0x68).u8(index);
    else out.u8(0x6a).u32(index);
    return true;
  }

  function write(original: PickleValue): void {
    const value = replace(original) ?? original;
    if (recall(value)) return;
    if (value === null) out.u8(0x4e);
    else if (typeof value === "boolean") out.u8(value ? 0x88 : 0x89);
    else if (typeof value === "number") writeInt(value);
    else if (typeof value === "bigint") writeLong(value);
    else if (typeof value === "string") writeText(value);
    else if (value instanceof Uint8Array) writeBytes(value);
    else writeRecord(value);
  }

  function writeInt(value: number): void {
    if (value >= 0 && value < 0x100) out.u8(0x4b).u8(value);
    else if (value >= 0 && value < 0x10000) out.u8(0x4d).u16(value);
    else if (value >= -0x80000000 && value < 0x80000000) out.u8(0x4a).u32(value >>> 0);
    else writeLong(BigInt(value));
  }

  /** C++ readers want a LONG1 of eight bytes; longer ones are for Python alone. */
  function writeLong(value: bigint): void {
    let size = 8;
    while (BigInt.asIntN(size * 8, value) !== value) size++;
    if (size < 256) out.u8(0x8a).u8(size);
    else out.u8(0x8b).u32(size);
    for (let at = 0, rest = value; at < size; at++, rest >>= 8n) out.u8(Number(rest & 0xffn));
  }

  function writeText(text: string): void {
    writeOnlyText(text);
    memoize(text);
  }

  function writeOnlyText(text: string): void {
    out.u8(0x58);
    if (utf8Length(text) === text.length) out.u32(text.length).text(text);
    else {
      const bytes = encodeSurrogatePass(text);
      out.u32(bytes.length).bytes(bytes);
    }
  }

  /** A value made for this place: nests a few levels deep, and nothing in it but globals is met again. */
  function writeFresh(value: PickleValue): void {
    if (typeof value === "string") writeOnlyText(value);
    else if (isKind(value, "tuple")) writeFreshTuple(value.items);
    else if (isKind(value, "persistent")) {
      writeFresh(value.id);
      out.u8(0x51);
    } else if (isKind(value, "call") && isPlainCall(value)) {
      writeFresh(value.callable);
      writeFresh(value.args);
      out.u8(0x52);
    } else write(value);
  }

  function writeFreshTuple(items: readonly PickleValue[]): void {
    if (items.length > 3) out.u8(0x28);
    for (const item of items) writeFresh(item);
    out.u8(items.length === 0 ? 0x29 : items.length <= 3 ? 0x84 + items.length : 0x74);
  }

  /** Protocol 2 has no bytes; Python 3 spells them as Latin-1 text to be encoded. */
  function writeBytes(bytes: Uint8Array): void {
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    const call =
      bytes.length === 0
        ? reduceTasks("__builtin__", "bytes", [])
        : reduceTasks("_codecs", "encode", [text, "latin1"]);
    schedule([...call, { memoize: bytes }]);
  }

  function reduceTasks(module: string, name: string, args: readonly PickleValue[]): readonly Task[] {
    return [{ value: globalOf(module, name) }, { value: { kind: "tuple", items: args } }, op(0x52)];
  }

  const globals = new Map<string, PickleValue>();
  function globalOf(module: string, name: string): PickleValue {
    const key = `${module}\n${name}`;
    const known = globals.get(key) ?? { kind: "global", module, name };
    globals.set(key, known);
    return known;
  }

  function writeRecord(
    value: Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array>,
  ): void {
    if (begun.has(value) && !(isKind(value, "tuple") && !begunAgain.has(value))) {
      throw new ConvertError("unsupported", "an object that is made of itself cannot be written");
    }
    if (begun.has(value)) begunAgain.add(value);
    else if (value.kind === "tuple" || value.kind === "set" || value.kind === "call") begun.add(value);
    switch (value.kind) {
      case "float":
        out.u8(0x47).f64(value.value);
        return;
      case "bytearray":
        schedule([...reduceTasks("__builtin__", "bytearray", [value.bytes]), { memoize: value }]);
        return;
      case "list":
        out.u8(0x5d);
        memoize(value);
        writeItems(value.items);
        return;
      case "dict":
        out.u8(0x7d);
        memoize(value);
        writeEntries(value.entries());
        return;
      case "tuple":
        writeTuple(value.items, value);
        return;
      case "set":
        schedule([
          ...reduceTasks("__builtin__", value.frozen ? "frozenset" : "set", [
            { kind: "list", items: value.items },
          ]),
          { memoize: value },
        ]);
        return;
      case "global":
        out.u8(0x63).text(`${value.module}\n${value.name}\n`);
        memoize(value);
        return;
      case "persistent":
        schedule([{ value: value.id }, op(0x51)]);
        return;
      case "call":
        writeCall(value);
        return;
      case "host":
        writeHost(value);
        return;
    }
  }

  function writeHost(value: PickleHost): void {
    const made = expand(value);
    if (made === undefined)
      throw new ConvertError("unsupported", "a value of the pickle cannot be written again");
    writeFresh(made);
  }

  function writeTuple(items: readonly PickleValue[], value: PickleValue): void {
    if (items.length === 0) {
      out.u8(0x29);
      begun.delete(value);
      return;
    }
    if (items.length > 3) out.u8(0x28);
    schedule([...items.map((item) => ({ value: item })), { run: () => closeTuple(items.length, value) }]);
  }

  /** A list in a tuple may hold that tuple: it is complete already, and taken from there, as CPython does. */
  function closeTuple(length: number, value: PickleValue): void {
    if (memo.has(value)) {
      for (let count = 0; count < (length > 3 ? 1 : length); count++) out.u8(length > 3 ? 0x31 : 0x30);
      recall(value);
    } else {
      out.u8(length > 3 ? 0x74 : 0x84 + length);
      memoize(value);
    }
  }

  /** A MARK even for one item: libtorch's reader lacks the opcodes for single ones. */
  function writeItems(items: readonly PickleValue[]): void {
    writeBatches(items[Symbol.iterator](), 0x65, (item) => [{ value: item }]);
  }

  function writeEntries(entries: Iterable<readonly [PickleValue, PickleValue]>): void {
    writeBatches(entries[Symbol.iterator](), 0x75, ([key, value]) => [{ value: key }, { value }]);
  }

  /** A thousand at a time, as Python does, so that no reader's stack grows with the dict; nor does ours. */
  function writeBatches<T>(rest: Iterator<T>, code: number, steps: (item: T) => readonly Task[]): void {
    const batch: Task[] = [];
    for (let count = 0; count < 1000; count++) {
      const { value, done } = rest.next();
      if (done) break;
      batch.push(...steps(value));
    }
    if (batch.length > 0)
      schedule([op(0x28), ...batch, op(code), { run: () => writeBatches(rest, code, steps) }]);
  }

  function writeCall(call: PickleCall): void {
    const { callable, args, kwargs, state, items, entries } = call;
    if (kwargs !== undefined) {
      throw new ConvertError(
        "unsupported",
        "an object with keyword arguments cannot be written in protocol 2",
      );
    }
    schedule([
      { value: callable },
      { value: args },
      op(call.how === "new" ? 0x81 : 0x52),
      { memoize: call },
      { run: () => items && writeItems(items) },
      { run: () => entries && writeEntries(entries.entries()) },
      ...(state === undefined ? [] : [{ value: state }, op(0x62)]),
    ]);
  }

  out.u8(0x80).u8(2);
  tasks.push({ value: root });
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
    if ("value" in task) write(task.value);
    else if ("codes" in task) for (const code of task.codes) out.u8(code);
    else if ("memoize" in task) memoize(task.memoize);
    else task.run();
  }
  return out.u8(0x2e).finish();
}

/** A call and nothing done to what it made. */
function isPlainCall({ how, kwargs, state, items, entries }: PickleCall): boolean {
  return how === "call" && (kwargs ?? state ?? items ?? entries) === undefined;
}

/** Strings are recalled by content, records by identity; numbers are shorter than a recall. */
function isMemoized(value: PickleValue): boolean {
  return (
    typeof value === "string" || (typeof value === "object" && value !== null && !isKind(value, "float"))
  );
}
