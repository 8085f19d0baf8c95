import { ConvertError, isConvertError } from "../../core/errors.ts";
import type { Draft } from "../emit/graph-builder.ts";
import type { Operand } from "../emit/operand.ts";
import { type DictValue, isA, type ListValue, refillList, type Value } from "../values/value.ts";
import { answerWhenEmpty } from "./emptiness.ts";
import type { Frame } from "./evaluate-expression.ts";
import { createJoiner, type Joiner, type Side } from "./join-values.ts";
import type { Machine } from "./machine.ts";
import { raisedBy } from "./raised.ts";
import { captureState, ownerOf, readIn, restoreState, type State, sameState } from "./state.ts";

/** A branch that has been run: its nodes, what it left behind, or the error that the program raised in it. */
interface Branch {
  readonly draft: Draft;
  readonly state: State;
  readonly raised: ConvertError | undefined;
}

/** A condition that only data tell, and what is done where it holds or not. */
export interface DataBranches {
  readonly condition: Operand;
  /** The line, for what is taken for granted. */
  readonly source: string;
  whenTrue(): void;
  whenFalse(): void;
}

/**
 * Runs both ways of a condition that only data tell, and joins what they leave behind by an If. Where the program raises
 * in one of them, the other one is taken for granted, which is recorded; as is that nothing is empty, where the program
 * asks for that and goes on with values of another form.
 */
export function runBranches(machine: Machine, frame: Frame, branches: DataBranches): void {
  const { guards } = machine.builder;
  const before = captureState(frame);
  const left = runBranch(machine, frame, before, () => branches.whenTrue());
  const right = runBranch(machine, frame, before, () => branches.whenFalse());
  const error = left.raised ?? right.raised;
  if (error !== undefined) {
    if (left.raised && right.raised) throw error;
    guards.assume(`not: ${error.message}`);
    adopt(frame, left.raised ? right : left);
    return;
  }
  const conflict = joinBranches(machine, frame, before, left, right, branches.condition);
  if (conflict === undefined) return;
  const empty = answerWhenEmpty(branches.condition);
  if (empty === undefined) {
    if (typeof conflict !== "string") throw conflict;
    return;
  }
  restoreState(frame, before);
  guards.assume(`nothing is empty at ${branches.source}`);
  adopt(frame, empty ? right : left);
}

function adopt(frame: Frame, { draft, state }: Branch): void {
  draft.adopt();
  restoreState(frame, state);
}

/** Gives what the branches could not agree on, if anything: a value that cannot be used, or an error. */
function joinBranches(
  { builder }: Machine,
  frame: Frame,
  before: State,
  left: Branch,
  right: Branch,
  condition: Operand,
): string | unknown {
  const sideOf = ({ draft, state }: Branch): Side => ({
    draft,
    read: (tensor) => readIn(state, before, tensor),
  });
  const isOld = (value: Value): boolean =>
    (isA(value, "list") && before.lists.has(value)) || (isA(value, "dict") && before.dicts.has(value));
  const joiner = createJoiner(builder, sideOf(left), sideOf(right), isOld);
  try {
    joinStates(joiner, frame, before, left.state, right.state);
  } catch (error) {
    if (!isConvertError(error, "unsupported")) throw error;
    return error;
  }
  if (joiner.conflict !== undefined && answerWhenEmpty(condition) !== undefined) return joiner.conflict;
  joiner.finish((lefts, rights, types) =>
    builder.nodes("If", [condition], types, {
      then_branch: { kind: "graph", value: left.draft.finish("then", [], lefts) },
      else_branch: { kind: "graph", value: right.draft.finish("else", [], rights) },
    }),
  );
  return undefined;
}

function runBranch(machine: Machine, frame: Frame, before: State, run: () => void): Branch {
  const draft = machine.builder.draft();
  let raised: ConvertError | undefined;
  try {
    draft.run(run);
  } catch (error) {
    raised = raisedBy(error);
    if (raised === undefined) throw error;
  }
  const state = sameState(frame, before);
  restoreState(frame, before);
  return { draft, state, raised };
}

/** Everything that was there before, as it is after one branch or the other; and variables that both have set. */
function joinStates(joiner: Joiner, frame: Frame, before: State, left: State, right: State): void {
  for (const [name, value] of left.variables) {
    const other = right.variables.get(name);
    if (other !== undefined) frame.variables.set(name, joiner.join(value, other));
  }
  for (const [list] of before.lists)
    joinList(joiner, list, left.lists.get(list) ?? [], right.lists.get(list) ?? []);
  for (const [dict] of before.dicts)
    joinDict(joiner, dict, left.dicts.get(dict) ?? new Map(), right.dicts.get(dict) ?? new Map());
  for (const [object] of before.objects) {
    const others = right.objects.get(object);
    for (const [name, value] of left.objects.get(object) ?? []) {
      const other = others?.get(name);
      if (other !== undefined) object.attributes.set(name, joiner.join(value, other));
    }
  }
  joinStorages(joiner, before, left, right);
}

function joinList(joiner: Joiner, list: ListValue, left: readonly Value[], right: readonly Value[]): void {
  if (left.length !== right.length)
    throw new ConvertError(
      "unsupported",
      `a list has ${left.length} or ${right.length} items, of which data decide`,
    );
  const items = left.map((item, index) => joiner.join(item, right[index] as Value));
  refillList(list, items);
}

type Entries = ReadonlyMap<unknown, readonly [Value, Value]>;

function joinDict(joiner: Joiner, dict: DictValue, left: Entries, right: Entries): void {
  if (left.size !== right.size || [...left.keys()].some((key) => !right.has(key)))
    throw new ConvertError("unsupported", "a dict has keys of which data decide");
  dict.entries.clear();
  for (const [key, [own, value]] of left)
    dict.entries.set(key, [own, joiner.join(value, right.get(key)?.[1] as Value)]);
}

/** What was written in a branch: the tensor that owns the memory holds the result, and its views follow. */
function joinStorages(joiner: Joiner, before: State, left: State, right: State): void {
  for (const [storage, { version }] of before.storages) {
    const [a, b] = [left.storages.get(storage), right.storages.get(storage)];
    storage.stale = a?.stale ?? b?.stale;
    const latest = Math.max(a?.version ?? 0, b?.version ?? 0);
    if (latest === version) continue;
    storage.version = latest + 1;
    const owner = ownerOf(before, storage);
    const [held, other] = [left.tensors.get(owner)?.held, right.tensors.get(owner)?.held];
    owner.version = storage.version;
    joiner.joinHeld(held as Operand, other as Operand, (chosen) => {
      owner.held = chosen;
    });
  }
}
