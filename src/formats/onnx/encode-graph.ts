import type { ByteBuilder } from "../../bytes/builder.ts";
import { isWellFormed } from "../../bytes/utf8.ts";
import {
  createMessageStack,
  type MessageStack,
  putBytes,
  putFloat,
  putInt,
  putText,
} from "../../containers/protobuf/encode.ts";
import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ConstantTensor, GraphAttribute, GraphBody, GraphNode, GraphValue } from "../../core/graph.ts";
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

/** What goes on while a model is encoded. */
export interface Encoding {
  /** Name of the model file, for errors. */
  readonly file: string;
  readonly messages: MessageStack;
}

/** The encoding of a file that has not begun. */
export function createEncoding(file: string): Encoding {
  return { file, messages: createMessageStack() };
}

/**
 * Appends the fields of a GraphProto in the order of their numbers; `putInitializers` is called when it is the turn of
 * those. Throws kind `unsupported` for what ONNX has no way to say.
 */
export function putBody(
  into: ByteBuilder,
  body: GraphBody,
  encoding: Encoding,
  putInitializers: () => void = () => undefined,
  depth = 0,
): void {
  const { file, messages } = encoding;
  if (depth > maxSubgraphs) {
    throw new ConvertError("unsupported", `subgraphs lie more than ${maxSubgraphs} deep in each other`, {
      file,
    });
  }
  for (const node of body.nodes)
    messages.put(into, graphField.node, (message) => putNode(message, node, encoding, depth));
  putExactText(into, graphField.name, body.name, file);
  putInitializers();
  if (body.docString) putExactText(into, graphField.docString, body.docString, file);
  const putValues = (field: number, values: readonly GraphValue[]): void => {
    for (const value of values) messages.put(into, field, (message) => putValue(message, value, encoding));
  };
  putValues(graphField.input, body.inputs);
  putValues(graphField.output, body.outputs);
  putValues(graphField.valueInfo, body.values ?? []);
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

function putNode(into: ByteBuilder, node: GraphNode, encoding: Encoding, depth: number): void {
  const { file, messages } = encoding;
  for (const input of node.inputs) putExactText(into, nodeField.input, input, file);
  for (const output of node.outputs) putExactText(into, nodeField.output, output, file);
  if (node.name !== "") putExactText(into, nodeField.name, node.name, file);
  putExactText(into, nodeField.opType, node.opType, file);
  for (const [name, attribute] of node.attributes) {
    messages.put(into, nodeField.attribute, (message) => {
      putExactText(message, attributeField.name, name, file);
      putAttributeValue(message, name, attribute, encoding, depth);
      putInt(message, attributeField.type, attributeType[attribute.kind]);
    });
  }
  if (node.docString) putExactText(into, nodeField.docString, node.docString, file);
  if (node.domain !== "") putExactText(into, nodeField.domain, node.domain, file);
}

function putAttributeValue(
  into: ByteBuilder,
  name: string,
  { kind, value }: GraphAttribute,
  encoding: Encoding,
  depth: number,
): void {
  const { int, ints, float, floats, text, texts, tensor, graph } = attributeField;
  const { file, messages } = encoding;
  if (kind === "int") putInt(into, int, value);
  else if (kind === "float") putFloat(into, float, value);
  else if (kind === "string") putExactText(into, text, value, file);
  else if (kind === "ints") for (const item of value) putInt(into, ints, item);
  else if (kind === "floats") for (const item of value) putFloat(into, floats, item);
  else if (kind === "strings") for (const item of value) putExactText(into, texts, item, file);
  else if (kind === "tensor")
    messages.put(into, tensor, (message) => putConstant(message, value, name, file));
  else messages.put(into, graph, (message) => putBody(message, value, encoding, undefined, depth + 1));
}

function putConstant(
  into: ByteBuilder,
  { dtype, shape, bytes }: ConstantTensor,
  name: string,
  file: string,
): void {
  for (const extent of shape) putInt(into, tensorField.dims, extent);
  putInt(into, tensorField.dataType, dataTypeOf(dtype, name, file));
  putBytes(into, tensorField.rawData, bytes);
}

function putValue(into: ByteBuilder, { name, dtype, dims }: GraphValue, { file, messages }: Encoding): void {
  putExactText(into, valueField.name, name, file);
  messages.put(into, valueField.type, (type) => {
    messages.put(type, typeField.tensor, (tensorType) => {
      putInt(tensorType, tensorTypeField.elemType, dataTypeOf(dtype, name, file));
      if (dims === undefined) return;
      messages.put(tensorType, tensorTypeField.shape, (shape) => {
        for (const extent of dims) {
          messages.put(shape, shapeField.dim, (dimension) => {
            if (typeof extent === "number") putInt(dimension, shapeField.dimValue, extent);
            else if (extent !== "") putExactText(dimension, shapeField.dimParam, extent, file);
          });
        }
      });
    });
  });
}
