import { addItems, append, build, dictFromMark, pair, setItems } from "./fill.ts";
import { computedName } from "./globals.ts";
import type { MachineState } from "./machine-state.ts";
import {
  decodeByteString,
  latin1,
  parseDecimal,
  parseFloatText,
  parseQuoted,
  parseRawUnicode,
  parseTwosComplement,
} from "./text-operands.ts";
import { isKind, PickleDict, type PickleTuple, type PickleValue } from "./values.ts";

/** Runs one opcode: reads its operands first, so that it can run again if they are not all there. */
export type Opcode = (machine: MachineState) => void;

const emptyTuple: PickleTuple = { kind: "tuple", items: [] };

function tuple(items: readonly PickleValue[]): PickleTuple {
  return { kind: "tuple", items };
}

/** Far beyond any number in a checkpoint; parsing longer ones would cost more than reading the file. */
const maxLongBytes = 65_536;

function pushLong(machine: MachineState, length: number): void {
  if (length > maxLongBytes) machine.doubt(`an int in the pickle has ${length} bytes`);
  const bytes = machine.operands.take(length);
  machine.push(length > maxLongBytes ? 0 : parseTwosComplement(bytes));
}

function pushText(machine: MachineState, length: number): void {
  if (!machine.passOver(length, true)) machine.push(machine.operands.text(length));
}

function pushByteString(machine: MachineState, length: number): void {
  if (!machine.passOver(length, false)) machine.push(decodeByteString(machine.operands.take(length)));
}

function pushBytes(machine: MachineState, length: number): void {
  if (!machine.passOver(length, false)) machine.push(machine.operands.take(length).slice());
}

function pushBytearray(machine: MachineState): void {
  const length = machine.operands.u64();
  if (machine.passOver(length, false)) return;
  machine.push({ kind: "bytearray", bytes: machine.operands.take(length).slice() });
}

function nonNegative(machine: MachineState, length: number): number {
  return length < 0 ? machine.operands.fail("a length in the pickle is negative") : length;
}

function line(machine: MachineState): string {
  return decodeByteString(machine.operands.line());
}

function index(machine: MachineState): number {
  // Python stops at a NUL and passes over underscores between digits.
  const [text = ""] = line(machine).split("\0", 1);
  const value = parseDecimal(text.replace(/(?<=\d)_(?=\d)/g, ""));
  return typeof value === "number" && value >= 0
    ? value
    : machine.operands.fail("a memo index in the pickle is no number");
}

function pushInt(machine: MachineState): void {
  const text = line(machine);
  // Protocol 1 had no booleans: they are these two spellings.
  if (text === "00" || text === "01") machine.push(text === "01");
  else machine.push(parseDecimal(text) ?? noNumber(machine));
}

/** Python also takes ints in hexadecimal, and longer ones than we do. */
function noNumber(machine: MachineState): number {
  machine.doubt("an int in the pickle is no number");
  return 0;
}

function pushFloat(machine: MachineState): void {
  const value = parseFloatText(line(machine)) ?? machine.operands.fail("a float in the pickle is no number");
  machine.push({ kind: "float", value });
}

function pushQuoted(machine: MachineState): void {
  const bytes = parseQuoted(machine.operands.line());
  machine.push(
    bytes ? decodeByteString(bytes) : machine.operands.fail("a string in the pickle lacks its quotes"),
  );
}

function pushGlobal(machine: MachineState): void {
  const module = line(machine);
  const name = line(machine);
  machine.push(machine.global(module, name));
}

function pushStackGlobal(machine: MachineState): void {
  const name = machine.pop();
  const module = machine.pop();
  if (typeof name === "string" && typeof module === "string") machine.push(machine.global(module, name));
  else if (isKnown(name) || isKnown(module)) machine.operands.fail("a global in the pickle has no name");
  else machine.push(machine.global(textOr(module), textOr(name)));
}

/** A value that is no string, and cannot turn out to be one. */
function isKnown(value: PickleValue): boolean {
  const open = typeof value === "string" || isKind(value, "call") || isKind(value, "host");
  return !open && !isKind(value, "persistent");
}

function textOr(value: PickleValue): string {
  return typeof value === "string" ? value : computedName;
}

function reduce(machine: MachineState): void {
  const args = machine.pop();
  machine.call("call", machine.pop(), args);
}

function newObject(machine: MachineState): void {
  const args = machine.pop();
  machine.call("new", machine.pop(), args);
}

function newObjectWithKeywords(machine: MachineState): void {
  const kwargs = machine.pop();
  const args = machine.pop();
  machine.call("new", machine.pop(), args, kwargs);
}

function instance(machine: MachineState): void {
  const module = line(machine);
  const name = line(machine);
  machine.call("call", machine.global(module, name), tuple(machine.popToMark()));
}

function object(machine: MachineState): void {
  const [callable, ...args] = machine.popToMark();
  if (callable === undefined) machine.operands.fail("the pickle calls nothing");
  else machine.call("call", callable, tuple(args));
}

/** Written out, since an array that grows has room for 17 items, and there are several of these for each tensor. */
function popOne(machine: MachineState): void {
  machine.push(tuple([machine.pop()]));
}

function popPair(machine: MachineState): void {
  const second = machine.pop();
  machine.push(tuple([machine.pop(), second]));
}

function popTriple(machine: MachineState): void {
  const third = machine.pop();
  const second = machine.pop();
  machine.push(tuple([machine.pop(), second, third]));
}

function extension(machine: MachineState, code: number): void {
  machine.doubt("the pickle names a class by a number of Python's extension registry, which no file carries");
  machine.push(machine.global(computedName, `extension ${code}`));
}

function refuseBuffer(machine: MachineState): void {
  machine.operands.fail("the pickle refers to a buffer outside of it, which no file carries");
}

function protocol(machine: MachineState): void {
  const version = machine.operands.u8();
  if (version > 5) machine.operands.fail(`pickle protocol ${version} is not known`);
}

/** All 68 opcodes of CPython's `pickletools`, by their byte; the comment names each as Python does. */
const table: readonly (readonly [code: number, opcode: Opcode])[] = [
  [0x28, (m) => m.mark()], // MARK
  [0x29, (m) => m.push(emptyTuple)], // EMPTY_TUPLE
  [0x30, (m) => m.drop()], // POP
  [0x31, (m) => void m.popToMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x42, (m) => pushBytes(m, m.operands.u32())], // BINBYTES
  [0x43, (m) => pushBytes(m, m.operands.u8())], // SHORT_BINBYTES
  [0x46, pushFloat], // FLOAT
  [0x47, (m) => m.push({ kind: "float", value: m.operands.f64() })], // BINFLOAT
  [0x49, pushInt], // INT
  [0x4a, (m) => m.push(m.operands.i32())], // BININT
  [0x4b, (m) => m.push(m.operands.u8())], // BININT1
  [0x4c, (m) => m.push(parseDecimal(line(m)) ?? noNumber(m))], // LONG
  [0x4d, (m) => m.push(m.operands.u16())], // BININT2
  [0x4e, (m) => m.push(null)], // NONE
  [0x50, (m) => m.persistent(latin1(m.operands.line()))], // PERSID
  [0x51, (m) => m.persistent(m.pop())], // BINPERSID
  [0x52, reduce], // REDUCE
  [0x53, pushQuoted], // STRING
  [0x54, (m) => pushByteString(m, nonNegative(m, m.operands.i32()))], // BINSTRING
  [0x55, (m) => pushByteString(m, m.operands.u8())], // SHORT_BINSTRING
  [
    0x56,
    (m) =>
      m.push(
        parseRawUnicode(m.operands.line()) ?? m.operands.fail("a string in the pickle has a broken escape"),
      ),
  ], // UNICODE
  [0x58, (m) => pushText(m, m.operands.u32())], // BINUNICODE
  [0x5d, (m) => m.push({ kind: "list", items: [] })], // EMPTY_LIST
  [0x61, (m) => append(m, [m.pop()])], // APPEND
  [0x62, build], // BUILD
  [0x63, pushGlobal], // GLOBAL
  [0x64, dictFromMark], // DICT
  [0x65, (m) => append(m, m.popToMark())], // APPENDS
  [0x67, (m) => m.push(m.recall(index(m)))], // GET
  [0x68, (m) => m.push(m.recall(m.operands.u8()))], // BINGET
  [0x69, instance], // INST
  [0x6a, (m) => m.push(m.recall(m.operands.u32()))], // LONG_BINGET
  [0x6c, (m) => m.push({ kind: "list", items: m.popToMark() })], // LIST
  [0x6f, object], // OBJ
  [0x70, (m) => m.memoize(index(m))], // PUT
  [0x71, (m) => m.memoize(m.operands.u8())], // BINPUT
  [0x72, (m) => m.memoize(m.operands.u32())], // LONG_BINPUT
  [0x73, pair], // SETITEM
  [0x74, (m) => m.push(tuple(m.popToMark()))], // TUPLE
  [0x75, (m) => setItems(m, m.popToMark())], // SETITEMS
  [0x7d, (m) => m.push(new PickleDict())], // EMPTY_DICT
  [0x80, protocol], // PROTO
  [0x81, newObject], // NEWOBJ
  [0x82, (m) => extension(m, m.operands.u8())], // EXT1
  [0x83, (m) => extension(m, m.operands.u16())], // EXT2
  [0x84, (m) => extension(m, m.operands.i32())], // EXT4
  [0x85, popOne], // TUPLE1
  [0x86, popPair], // TUPLE2
  [0x87, popTriple], // TUPLE3
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x8a, (m) => pushLong(m, m.operands.u8())], // LONG1
  [0x8b, (m) => pushLong(m, nonNegative(m, m.operands.i32()))], // LONG4
  [0x8c, (m) => pushText(m, m.operands.u8())], // SHORT_BINUNICODE
  [0x8d, (m) => pushText(m, m.operands.u64())], // BINUNICODE8
  [0x8e, (m) => pushBytes(m, m.operands.u64())], // BINBYTES8
  [0x8f, (m) => m.push({ kind: "set", frozen: false, items: [] })], // EMPTY_SET
  [0x90, (m) => addItems(m, m.popToMark())], // ADDITEMS
  [0x91, (m) => m.push({ kind: "set", frozen: true, items: m.popToMark() })], // FROZENSET
  [0x92, newObjectWithKeywords], // NEWOBJ_EX
  [0x93, pushStackGlobal], // STACK_GLOBAL
  [0x94, (m) => m.memoize(m.memoSize)], // MEMOIZE
  [0x95, (m) => m.frame(m.operands.u64())], // FRAME
  [0x96, pushBytearray], // BYTEARRAY8
  [0x97, refuseBuffer], // NEXT_BUFFER
  [0x98, refuseBuffer], // READONLY_BUFFER
];

/** The opcode of each byte, `undefined` for bytes that are none. */
export const opcodes: readonly (Opcode | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  new Map(table).get(code),
);
// STOP (0x2e) ends the run and so belongs to the machine.
