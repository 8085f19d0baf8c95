import type { WireMessage } from "../../containers/protobuf/wire.ts";
import type { OnnxType, OnnxValueInfo } from "./model.ts";
import { shapeField, tensorTypeField, typeField, valueField } from "./schema.ts";
import { entry, integer, type Skim, text } from "./skim-fields.ts";

/** A `ValueInfoProto`. */
export async function skimValue(skim: Skim, message: WireMessage): Promise<OnnxValueInfo> {
  const { cursor } = skim;
  const metadata = new Map<string, string>();
  let name = "";
  let type: OnnxType | undefined;
  skim.tally.add();
  await cursor.walk(message, (field) => {
    switch (field.number) {
      case valueField.name:
        return text(skim, field, (found) => {
          name = found;
        });
      case valueField.type:
        return skimType(skim, cursor.message(field, message)).then((found) => {
          type = found;
        });
      case valueField.metadata:
        return entry(skim, field, message, metadata);
    }
  });
  return { name, type, metadata, message };
}

/** A `TypeProto`; its nesting is bounded by that of messages. */
async function skimType(skim: Skim, message: WireMessage): Promise<OnnxType> {
  const { cursor } = skim;
  let type: OnnxType = { kind: "unknown" };
  const take = (found: OnnxType): void => {
    type = found;
  };
  await cursor.walk(message, (field) => {
    switch (field.number) {
      case typeField.tensor:
        return skimTensorType(skim, cursor.message(field, message), "tensor").then(take);
      case typeField.sparseTensor:
        return skimTensorType(skim, cursor.message(field, message), "sparse tensor").then(take);
      case typeField.sequence:
        return skimElement(skim, cursor.message(field, message), "sequence", 1).then(take);
      case typeField.optional:
        return skimElement(skim, cursor.message(field, message), "optional", 1).then(take);
      case typeField.map:
        return skimElement(skim, cursor.message(field, message), "map", 2).then(take);
      case typeField.opaque:
        return take({ kind: "opaque" });
    }
  });
  return type;
}

/** A type that has another one in field `number`. */
async function skimElement(
  skim: Skim,
  message: WireMessage,
  kind: "sequence" | "optional" | "map",
  number: number,
): Promise<OnnxType> {
  let element: OnnxType | undefined;
  await skim.cursor.walk(message, (field) => {
    if (field.number !== number) return;
    return skimType(skim, skim.cursor.message(field, message)).then((found) => {
      element = found;
    });
  });
  return { kind, element };
}

async function skimTensorType(
  skim: Skim,
  message: WireMessage,
  kind: "tensor" | "sparse tensor",
): Promise<OnnxType> {
  let elemType = 0;
  let dims: (number | string | undefined)[] | undefined;
  await skim.cursor.walk(message, (field) => {
    if (field.number === tensorTypeField.elemType) elemType = integer(skim, field);
    if (field.number !== tensorTypeField.shape) return;
    dims ??= [];
    return skimShape(skim, skim.cursor.message(field, message), dims);
  });
  return { kind, elemType, dims };
}

function skimShape(skim: Skim, message: WireMessage, dims: (number | string | undefined)[]): Promise<void> {
  const { cursor } = skim;
  return cursor.walk(message, (field) => {
    if (field.number !== shapeField.dim) return;
    skim.tally.add();
    const at = dims.push(undefined) - 1;
    return cursor.walk(cursor.message(field, message), (part) => {
      if (part.number === shapeField.dimValue) dims[at] = integer(skim, part);
      // An empty name says no more than none.
      if (part.number === shapeField.dimParam)
        return text(skim, part, (name) => (dims[at] = name || undefined));
    });
  });
}
