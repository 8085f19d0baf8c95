import type { MachineState } from "./machine-state.ts";
import { isKind, PickleDict, type PickleValue } from "./values.ts";

/** APPEND and APPENDS: `items` go to the end of the list on top. */
export function append(machine: MachineState, items: readonly PickleValue[]): void {
  const target = machine.top();
  if (isKind(target, "list")) for (const item of items) target.items.push(item);
  else if (isKind(target, "call")) {
    target.items ??= [];
    for (const item of items) target.items.push(item);
  } else {
    machine.tamper(target);
    machine.doubt("the pickle appends to something that is no list");
  }
}

/** ADDITEMS: `items` go into the set on top. */
export function addItems(machine: MachineState, items: readonly PickleValue[]): void {
  const target = machine.top();
  if (isKind(target, "set") && !target.frozen) for (const item of items) target.items.push(item);
  else append(machine, items);
}

/** SETITEMS: keys and values in turn go into the dict on top. */
export function setItems(machine: MachineState, items: readonly PickleValue[]): void {
  const target = machine.top();
  const entries = entriesOf(target);
  if (entries === undefined) {
    machine.tamper(target);
    machine.doubt("the pickle sets an item of something that is no dict");
    return;
  }
  if (items.length % 2 !== 0) machine.operands.fail("the pickle sets a key without a value");
  for (let at = 0; at < items.length; at += 2)
    entries.set(items[at] as PickleValue, items[at + 1] as PickleValue);
}

function entriesOf(target: PickleValue): PickleDict | undefined {
  if (isKind(target, "dict")) return target;
  if (!isKind(target, "call")) return undefined;
  target.entries ??= new PickleDict();
  return target.entries;
}

/** BUILD: what Python would hand to `__setstate__`, or put into `__dict__`. */
export function build(machine: MachineState): void {
  const state = machine.pop();
  const target = machine.top();
  if (isKind(target, "call") || isKind(target, "host")) target.state = state;
  else machine.tamper(target);
}

/** DICT: a new dict of what lies above the mark. */
export function dictFromMark(machine: MachineState): void {
  const items = machine.popToMark();
  machine.push(new PickleDict());
  setItems(machine, items);
}

/** SETITEM: the two values on top go into the dict below them. */
export function pair(machine: MachineState): void {
  const value = machine.pop();
  const key = machine.pop();
  setItems(machine, [key, value]);
}
