import type { WireCursor } from "../../containers/protobuf/cursor.ts";
import {
  int64Of,
  safeIntOf,
  type WireField,
  type WireMessage,
  wireType,
} from "../../containers/protobuf/wire.ts";
import type { RunContext } from "../../core/context.ts";
import type { OnnxOpset } from "./model.ts";
import { entryField, opsetField } from "./schema.ts";
import { createTally, type Tally } from "./tally.ts";

/** What the parts of a skim share. */
export interface Skim {
  readonly cursor: WireCursor;
  readonly tally: Tally;
}

/** A skim over a file that has not begun. */
export function createSkim(cursor: WireCursor, context: RunContext): Skim {
  return { cursor, tally: createTally(cursor.source.name, context) };
}

/** Hands over a text and counts it. */
export function text(
  { cursor, tally }: Skim,
  field: WireField,
  use: (text: string) => void,
): void | Promise<void> {
  tally.add();
  tally.addText(field.end - field.start);
  return cursor.text(field, use);
}

/** An integer that a double holds; refuses others. */
export function integer({ cursor }: Skim, field: WireField): number {
  cursor.expect(field, wireType.varint);
  const value = safeIntOf(field);
  return value ?? cursor.fail(`the number ${int64Of(field)} is beyond all sense here`, field.start);
}

/** A `StringStringEntryProto`; of a key that is there twice, the last counts. */
export async function entry(
  skim: Skim,
  field: WireField,
  parent: WireMessage,
  into: Map<string, string>,
): Promise<void> {
  let key = "";
  let value = "";
  await skim.cursor.walk(skim.cursor.message(field, parent), (part) => {
    if (part.number === entryField.key) return text(skim, part, (found) => (key = found));
    if (part.number === entryField.value) return text(skim, part, (found) => (value = found));
  });
  into.set(key, value);
}

/** An `OperatorSetIdProto`. */
export async function opset(
  skim: Skim,
  field: WireField,
  parent: WireMessage,
  into: OnnxOpset[],
): Promise<void> {
  let domain = "";
  let version = 0;
  await skim.cursor.walk(skim.cursor.message(field, parent), (part) => {
    if (part.number === opsetField.domain) return text(skim, part, (found) => (domain = found));
    if (part.number === opsetField.version) version = integer(skim, part);
  });
  skim.tally.add();
  into.push({ domain, version });
}
