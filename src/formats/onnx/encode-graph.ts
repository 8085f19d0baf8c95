import { type ByteBuilder, createByteBuilder } from "../../bytes/builder.ts";
import { isWellFormed } from "../../bytes/utf8.ts";
import { putBytes, putFloat, putInt, putText } from "../../containers/protobuf/encode.ts";
import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type {
  ConstantTensor,
  Dimension,
  GraphAttribute,
  GraphBody,
  GraphNode,
  GraphValue,
} from "../../core/graph.ts";
import { onnxDTypeFor } from "./dtypes.ts";
import {
  attributeField,
  graphField,
  nodeField,
  shapeField,
  tensorField,
  tensorTypeField,
  typeField,
  valueField,
} from "./schema.ts";

/** Subgraphs within each other, at most: each is three messages deep, and readers stop at a hundred. */
const maxSubgraphs = 30;

/** `AttributeProto.AttributeType`. */
const attributeType = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 };

/** A graph's fields before its initializers, and those behind them; fields stand in the order of their numbers. */
export interface EncodedBody {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Encodes all of a GraphProto but its initializers. Throws kind `unsupported` for what ONNX has no way to say. */
export function encodeBody(body: GraphBody, file: string, depth = 0): EncodedBody {
  if (depth > maxSubgraphs) {
    throw new ConvertError("unsupported", `subgraphs lie more than ${maxSubgraphs} deep in each other`, {
      file,
    });
  }
  const builder = createByteBuilder();
  for (const node of body.nodes) putBytes(builder, graphField.node, encodeNode(node, file, depth));
  putExactText(builder, graphField.name, body.name, file);
  const before = builder.finish();
  if (body.docString) putExactText(builder, graphField.docString, body.docString, file);
  for (const value of body.inputs) putBytes(builder, graphField.input, encodeValue(value, file));
  for (const value of body.outputs) putBytes(builder, graphField.output, encodeValue(value, file));
  for (const value of body.values ?? []) putBytes(builder, graphField.valueInfo, encodeValue(value, file));
  return { before, after: builder.finish() };
}

/** `TensorProto.DataType` of one of our types. Throws kind `unsupported` where ONNX has none. */
export function dataTypeOf(dtype: DType, name: string, file: string): number {
  const type = onnxDTypeFor.get(dtype);
  if (type) return type.code;
  throw new ConvertError("unsupported", `ONNX has no dtype for "${name}", which is ${dtype}`, {
    file,
    tensor: name,
  });
}

/** Appends a text. Throws kind `unsupported` where it has no UTF-8 bytes, since two such names could fall into one. */
export function putExactText(builder: ByteBuilder, field: number, text: string, file: string): void {
  if (!isWellFormed(text)) {
    throw new ConvertError(
      "unsupported",
      `ONNX cannot hold ${JSON.stringify(text)}, which has half a character`,
      {
        file,
      },
    );
  }
  putText(builder, field, text);
}

function encodeNode(node: GraphNode, file: string, depth: number): Uint8Array {
  const builder = createByteBuilder();
  for (const input of node.inputs) putExactText(builder, nodeField.input, input, file);
  for (const output of node.outputs) putExactText(builder, nodeField.output, output, file);
  if (node.name !== "") putExactText(builder, nodeField.name, node.name, file);
  putExactText(builder, nodeField.opType, node.opType, file);
  for (const [name, attribute] of node.attributes)
    putBytes(builder, nodeField.attribute, encodeAttribute(name, attribute, file, depth));
  if (node.docString) putExactText(builder, nodeField.docString, node.docString, file);
  if (node.domain !== "") putExactText(builder, nodeField.domain, node.domain, file);
  return builder.finish();
}

function encodeAttribute(name: string, attribute: GraphAttribute, file: string, depth: number): Uint8Array {
  const builder = createByteBuilder();
  putExactText(builder, attributeField.name, name, file);
  putAttributeValue(builder, name, attribute, file, depth);
  putInt(builder, attributeField.type, attributeType[attribute.kind]);
  return builder.finish();
}

function putAttributeValue(
  builder: ByteBuilder,
  name: string,
  { kind, value }: GraphAttribute,
  file: string,
  depth: number,
): void {
  const { int, ints, float, floats, text, texts, tensor, graph } = attributeField;
  if (kind === "int") putInt(builder, int, value);
  else if (kind === "float") putFloat(builder, float, value);
  else if (kind === "string") putExactText(builder, text, value, file);
  else if (kind === "ints") for (const item of value) putInt(builder, ints, item);
  else if (kind === "floats") for (const item of value) putFloat(builder, floats, item);
  else if (kind === "strings") for (const item of value) putExactText(builder, texts, item, file);
  else if (kind === "tensor") putBytes(builder, tensor, encodeConstant(value, name, file));
  else {
    const { before, after } = encodeBody(value, file, depth + 1);
    putBytes(builder, graph, joined(before, after));
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function encodeConstant({ dtype, shape, bytes }: ConstantTensor, name: string, file: string): Uint8Array {
  const builder = createByteBuilder();
  for (const extent of shape) putInt(builder, tensorField.dims, extent);
  putInt(builder, tensorField.dataType, dataTypeOf(dtype, name, file));
  putBytes(builder, tensorField.rawData, bytes);
  return builder.finish();
}

function encodeValue({ name, dtype, dims }: GraphValue, file: string): Uint8Array {
  const tensorType = createByteBuilder();
  putInt(tensorType, tensorTypeField.elemType, dataTypeOf(dtype, name, file));
  if (dims !== undefined) putBytes(tensorType, tensorTypeField.shape, encodeShape(dims, file));
  const type = createByteBuilder();
  putBytes(type, typeField.tensor, tensorType.finish());
  const builder = createByteBuilder();
  putExactText(builder, valueField.name, name, file);
  putBytes(builder, valueField.type, type.finish());
  return builder.finish();
}

function encodeShape(dims: readonly Dimension[], file: string): Uint8Array {
  const shape = createByteBuilder();
  for (const extent of dims) {
    const dimension = createByteBuilder();
    if (typeof extent === "number") putInt(dimension, shapeField.dimValue, extent);
    else if (extent !== "") putExactText(dimension, shapeField.dimParam, extent, file);
    putBytes(shape, shapeField.dim, dimension.finish());
  }
  return shape.finish();
}
