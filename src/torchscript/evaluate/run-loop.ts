import { ConvertError } from "../../core/errors.ts";
import type { GraphBody } from "../../core/graph.ts";
import type { Draft } from "../emit/graph-builder.ts";
import { constant, type Operand } from "../emit/operand.ts";
import type { Statement } from "../language/syntax.ts";
import { type Dimension, isSameDimension, largerOf, symbol } from "../shapes/dimension.ts";
import type { Tensor } from "../values/tensor.ts";
import type { ListValue, Value } from "../values/value.ts";
import { assignedNames } from "./assigned-names.ts";
import type { Frame } from "./evaluate-expression.ts";
import { freeze } from "./frozen.ts";
import { appendedBy, grownLists, stackList } from "./grown-lists.ts";
import { checkAppended, checkContainers } from "./loop-checks.ts";
import { noteMemory, shareMemory, sharersOf, spoiltMemory } from "./loop-memory.ts";
import { correctedVariables, namesKept } from "./loop-variables.ts";
import type { Machine } from "./machine.ts";
import { hasSlots, refilled, type Slot, slotsOf } from "./slots.ts";
import { captureState, ownerOf, restoreState, type State, sameState } from "./state.ts";

/** How often a body is run to find out what of the shapes stays the same from turn to turn. */
const maxRounds = 12;

/** A loop of which only data tell how often it turns. */
export interface DataLoop {
  readonly body: readonly Statement[];
  /** How often at most; `undefined` for a `while`. */
  readonly count: Dimension | undefined;
  /** Whether the first turn is taken; `undefined` where only the count decides. */
  readonly first: Operand | undefined;
  /** Runs one turn, and gives whether there is to be another one, if that is to be decided. */
  turn(index: Value): Operand | undefined;
}

/** What is handed on, and what has been found out about it so far. */
interface Carried {
  readonly names: readonly string[];
  /** Tensors that the body writes in place. */
  readonly owners: Tensor[];
  /** Lists that each turn appends a tensor to. */
  readonly lists: ListValue[];
  /** Axes of slots whose extents differ between turns: `slot:axis`. */
  readonly open: Set<string>;
  /** Slots that may show the same memory: `slot:slot`. */
  readonly shared: Set<string>;
  /** Slots whose first value a turn writes in place before it sets another one: what else shows that memory is not known then. */
  readonly spoilt: Set<number>;
}

/** Runs a loop's body as the body of a Loop, whose turns hand on what they change. */
export function runDataLoop(machine: Machine, frame: Frame, loop: DataLoop): void {
  const assigned = assignedNames(loop.body);
  // Variables that each turn sets to what they are, such as those that are written in place.
  const kept = new Set<string>();
  let carried = nothingCarried(frame, assigned, kept);
  for (let round = 0; round < maxRounds; round++) {
    const before = captureState(frame);
    const values = carried.names.map((name) => frame.variables.get(name) as Value);
    const initial = [...values.flatMap(slotsOf).map(({ operand }) => operand), ...carried.owners.map(heldBy)];
    const turn = runTurn(machine, frame, loop, carried, { before, values, initial });
    const keeps = namesKept(carried.names, turn.start, frame.variables);
    const corrected = correctedVariables(machine.builder, assigned, before.variables, frame.variables);
    restoreState(frame, before);
    if (corrected.size + keeps.length > 0) {
      for (const [name, value] of corrected) frame.variables.set(name, value);
      for (const name of keeps) kept.add(name);
      carried = nothingCarried(frame, assigned, kept);
      continue;
    }
    if (!learn(carried, before, turn, initial)) {
      emitLoop(machine, frame, loop, carried, { before, values, initial }, turn);
      return;
    }
  }
  throw new ConvertError("unsupported", "the shapes in a loop that data decide do not settle");

  function heldBy(owner: Tensor): Operand {
    return owner.held;
  }
}

function nothingCarried(frame: Frame, assigned: readonly string[], kept: ReadonlySet<string>): Carried {
  const names = assigned.filter((name) => !kept.has(name) && hasSlots(frame.variables.get(name) ?? null));
  return { names, owners: [], lists: [], open: new Set(), shared: new Set(), spoilt: new Set() };
}

interface Start {
  readonly before: State;
  readonly values: readonly Value[];
  readonly initial: readonly Operand[];
}

interface Turn {
  readonly draft: Draft;
  /** What the names hold at the start of the turn. */
  readonly start: readonly Value[];
  readonly inputs: readonly Operand[];
  /** What the body was given, and what it leaves behind. */
  readonly given: readonly Slot[];
  readonly left: readonly Slot[];
  /** What it appends to each list. */
  readonly appended: readonly Operand[];
  /** Whether it has grown lists that were not known to grow. */
  readonly hasGrown: boolean;
  readonly condition: Operand | undefined;
}

function runTurn(
  machine: Machine,
  frame: Frame,
  loop: DataLoop,
  carried: Carried,
  { before, values, initial }: Start,
): Turn {
  const { builder } = machine;
  const index = builder.blockInput("index", { dtype: "I64", shape: [] });
  const goesOn = builder.blockInput("goes_on", { dtype: "BOOL", shape: [] });
  const placeholders = initial.map((operand, slot) => placeholderOf(machine, operand, slot, carried.open));
  const queue = [...placeholders];
  for (const [position, name] of carried.names.entries())
    frame.variables.set(name, refilled(builder, values[position] as Value, queue));
  const start = carried.names.map((name) => frame.variables.get(name) as Value);
  const given = start.flatMap(slotsOf);
  freeze(...start);
  noteMemory(carried, values.flatMap(slotsOf));
  for (const [position, owner] of carried.owners.entries()) {
    owner.storage.version++;
    Object.assign(owner, { held: queue[position], version: owner.storage.version });
  }
  for (const pair of carried.shared) {
    const [a, b] = pair.split(":").map((slot) => given[Number(slot)]?.storage);
    if (a && b) shareMemory(a, b);
  }
  const versions = new Map([...before.storages.keys()].map((storage) => [storage, storage.version]));
  const draft = builder.draft();
  const name = builder.sizeFromData(
    { operand: index, axis: undefined },
    { least: 0, most: Number.POSITIVE_INFINITY },
  );
  const { condition, appended } = runBody(loop, name, draft, carried);
  const grown = grownLists(before, sameState(frame, before));
  checkContainers(before, sameState(frame, before), grown);
  carried.lists.push(...grown);
  const left = draft.run(() => carried.names.flatMap((own) => slotsOf(frame.variables.get(own) as Value)));
  if (left.length !== given.length)
    throw new ConvertError(
      "unsupported",
      "a value changes its form in a loop of which data decide the turns",
    );
  const ownersLeft = carried.owners.map((owner): Slot => ({ operand: owner.held, storage: owner.storage }));
  for (const [storage, version] of versions) {
    if (storage.version === version) continue;
    const owner = ownerOf(before, storage);
    if (!carried.owners.includes(owner)) carried.owners.push(owner);
  }
  checkAppended(appended, before, given);
  return {
    draft,
    start,
    inputs: [index, goesOn, ...placeholders],
    given,
    left: [...left, ...ownersLeft],
    appended: appended.map(({ operand }) => operand),
    hasGrown: grown.length > 0,
    condition,
  };
}

/** Runs the body with all lists that it grows set up to take what it appends. */
function runBody(
  loop: DataLoop,
  index: Value,
  draft: Draft,
  { lists }: Carried,
): { readonly condition: Operand | undefined; readonly appended: readonly Slot[] } {
  let condition: Operand | undefined;
  const takers: (() => Slot)[] = [];
  const run = lists.reduce(
    (inner, list) => () => {
      takers.push(appendedBy(list, inner));
    },
    () => {
      condition = draft.run(() => loop.turn(index));
    },
  );
  run();
  return { condition, appended: draft.run(() => takers.map((take) => take())) };
}

function placeholderOf(machine: Machine, operand: Operand, slot: number, open: ReadonlySet<string>): Operand {
  const { builder } = machine;
  const shape = operand.shape.map((extent, axis) =>
    open.has(`${slot}:${axis}`)
      ? symbol(builder.freshSymbol("data"), undefined, { least: 0, most: Infinity })
      : extent,
  );
  const placeholder = builder.blockInput("carried", { dtype: operand.dtype, shape });
  for (const [axis, extent] of shape.entries())
    if (open.has(`${slot}:${axis}`) && typeof extent !== "number")
      builder.define(extent.key, { operand: placeholder, axis });
  return placeholder;
}

/** Takes in what a turn has shown; whether that is news, so that the body has to be run again. */
function learn(
  carried: Carried,
  before: State,
  { left, given, inputs, hasGrown }: Turn,
  initial: readonly Operand[],
): boolean {
  let isNews = hasGrown || carried.owners.length + given.length > initial.length;
  const add = (set: Set<string>, item: string): void => {
    if (set.has(item)) return;
    set.add(item);
    isNews = true;
  };
  for (const [slot, { operand, storage }] of left.entries()) {
    const placeholder = inputs[slot + 2] as Operand;
    if (operand.dtype !== placeholder.dtype || operand.shape.length !== placeholder.shape.length)
      throw new ConvertError(
        "unsupported",
        `a tensor changes from ${placeholder.dtype} of ${placeholder.shape.length} dimensions to ${operand.dtype} of ${operand.shape.length} in a loop that data decide`,
      );
    for (const [axis, extent] of operand.shape.entries())
      if (
        !isSameDimension(extent, placeholder.shape[axis] as Dimension) &&
        !carried.open.has(`${slot}:${axis}`)
      )
        add(carried.open, `${slot}:${axis}`);
    const isWritten = (given[slot]?.storage?.version ?? 0) > 0;
    if (isWritten && !carried.spoilt.has(slot)) {
      carried.spoilt.add(slot);
      isNews = true;
    }
    if (slot >= given.length || storage === undefined) continue;
    for (const other of sharersOf(slot, storage, given, left))
      add(carried.shared, `${Math.min(slot, other)}:${Math.max(slot, other)}`);
    if (before.storages.has(storage))
      throw new ConvertError("unsupported", "a loop that data decide hands on memory that others see");
  }
  return isNews;
}

function emitLoop(
  machine: Machine,
  frame: Frame,
  loop: DataLoop,
  carried: Carried,
  { values, initial }: Start,
  { draft, inputs, left, appended, condition }: Turn,
): void {
  const { builder } = machine;
  const always = constant("BOOL", [], [1]);
  const outputs = [condition ?? always, ...left.map(({ operand }) => operand), ...appended];
  const body: GraphBody = draft.finish("body", inputs, outputs);
  const count = loop.count === undefined ? undefined : constant("I64", [], [largerOf(loop.count, 0)]);
  const types = initial.map(({ dtype, shape }, slot) => ({
    dtype,
    shape: shape.map((extent, axis) => (carried.open.has(`${slot}:${axis}`) ? -1 : extent)),
  }));
  const rows = appended.map(({ dtype, shape }) => ({ dtype, shape: [-1, ...shape] }));
  if (types.length + rows.length === 0) return;
  const results = builder
    .nodes("Loop", [count, loop.first ?? always, ...initial], [...types, ...rows], {
      body: { kind: "graph", value: body },
    })
    .map((operand) => settled(machine, operand));
  const queue = [...results];
  for (const [position, name] of carried.names.entries())
    frame.variables.set(name, refilled(builder, values[position] as Value, queue));
  for (const [position, owner] of carried.owners.entries()) {
    owner.storage.version++;
    Object.assign(owner, { held: queue[position], version: owner.storage.version });
  }
  const storages = carried.names.flatMap((name) => slotsOf(frame.variables.get(name) as Value));
  const others = storages.flatMap(({ storage }) => storage ?? []);
  for (const [position, list] of carried.lists.entries())
    stackList(list, queue[carried.owners.length + position] as Operand, others);
  const initialSlots = values.flatMap(slotsOf);
  for (const [slot, { storage }] of storages.entries()) {
    const start = initialSlots[slot]?.storage;
    // Without a turn, the result is what was there before.
    if (storage && start) shareMemory(storage, start);
    if (start && carried.spoilt.has(slot)) start.stale = spoiltMemory;
  }
  for (const pair of carried.shared) {
    const [a, b] = pair.split(":").map((slot) => storages[Number(slot)]?.storage);
    if (a && b) shareMemory(a, b);
  }
}

function settled({ builder }: Machine, operand: Operand): Operand {
  const shape = operand.shape.map((extent, axis) =>
    extent === -1
      ? builder.sizeFromData({ operand, axis }, { least: 0, most: Number.POSITIVE_INFINITY })
      : extent,
  );
  return { ...operand, shape };
}
