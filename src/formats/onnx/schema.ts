/** Field numbers of the messages of ONNX (FORMAT.md, "Messages"), those that are read or written here. */
export const modelField = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  modelVersion: 5,
  docString: 6,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
  trainingInfo: 20,
  functions: 25,
} as const;

/** OperatorSetIdProto. */
export const opsetField = { domain: 1, version: 2 } as const;

/** StringStringEntryProto: metadata and the facts of external data. */
export const entryField = { key: 1, value: 2 } as const;

/** TrainingInfoProto. */
export const trainingField = { initialization: 1, algorithm: 2 } as const;

/** GraphProto. */
export const graphField = {
  node: 1,
  name: 2,
  initializer: 5,
  docString: 10,
  input: 11,
  output: 12,
  valueInfo: 13,
  sparseInitializer: 15,
  metadata: 16,
} as const;

/** NodeProto. */
export const nodeField = {
  input: 1,
  output: 2,
  name: 3,
  opType: 4,
  attribute: 5,
  docString: 6,
  domain: 7,
  overload: 8,
  metadata: 9,
} as const;

/** AttributeProto. */
export const attributeField = {
  name: 1,
  float: 2,
  int: 3,
  text: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  ints: 8,
  texts: 9,
  tensors: 10,
  graphs: 11,
  type: 20,
  refersTo: 21,
  sparseTensor: 22,
  sparseTensors: 23,
} as const;

/** TensorProto. */
export const tensorField = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  docString: 12,
  externalData: 13,
  dataLocation: 14,
  metadata: 16,
} as const;

/** SparseTensorProto. */
export const sparseField = { values: 1, indices: 2, dims: 3 } as const;

/** ValueInfoProto. */
export const valueField = { name: 1, type: 2, docString: 3, metadata: 4 } as const;

/** TypeProto; sequences and optionals have their element type in field 1, maps their value type in field 2. */
export const typeField = {
  tensor: 1,
  sequence: 4,
  map: 5,
  opaque: 7,
  sparseTensor: 8,
  optional: 9,
} as const;

/** TypeProto.Tensor and TypeProto.SparseTensor. */
export const tensorTypeField = { elemType: 1, shape: 2 } as const;

/** TensorShapeProto and its dimensions. */
export const shapeField = { dim: 1, dimValue: 1, dimParam: 2 } as const;

/** FunctionProto. */
export const functionField = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  opsetImport: 9,
  domain: 10,
  valueInfo: 12,
  overload: 13,
} as const;
