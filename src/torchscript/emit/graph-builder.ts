import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type {
  GraphAttribute,
  GraphBody,
  GraphNode,
  GraphValue,
  OperatorGraph,
  OperatorSet,
} from "../../core/graph.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import {
  type Bounds,
  dimensionText,
  isSymbolic,
  type Shape,
  type SymbolicDimension,
  symbol,
} from "../shapes/dimension.ts";
import { createGuards, type Guards } from "../shapes/guards.ts";
import { computesInBfloat, nodesOfFloats } from "./bfloat.ts";
import { checkShape } from "./check-shape.ts";
import { checkTypes } from "./check-types.ts";
import { encodeConstant } from "./encode-constant.ts";
import { materializeKnown, type SymbolSource } from "./materialize.ts";
import { createNames } from "./names.ts";
import { maxKnown, type Operand, type OperandType } from "./operand.ts";
import { pruneNodes, renameValues } from "./prune.ts";
import { categoryOf } from "./types.ts";

/** Attributes of a node by name, in the order in which they are written. */
export type Attributes = Readonly<Record<string, GraphAttribute>>;

/** The graph while it is made. Nodes are only ever added, at the end of the block at hand. */
export interface GraphBuilder {
  readonly opset: number;
  /** What is taken for granted about symbolic sizes. */
  readonly guards: Guards;
  /** Adds a node with one output. An absent optional input is `undefined`. */
  node(
    opType: string,
    inputs: readonly (Operand | undefined)[],
    result: OperandType,
    attributes?: Attributes,
  ): Operand;
  /** Adds a node with several outputs. */
  nodes(
    opType: string,
    inputs: readonly (Operand | undefined)[],
    results: readonly OperandType[],
    attributes?: Attributes,
  ): readonly Operand[];
  /** Adds an input of the graph; the name has to be new. */
  input(name: string, dtype: DType, shape: Shape): Operand;
  /** Says which size a symbol stands for: an extent of a value, or a 0-d value itself. */
  define(symbolName: string, source: SymbolSource): void;
  /** A name for a symbol that no other has. */
  freshSymbol(stem: string): string;
  /** Which module the nodes from now on belong to, and which line made them. */
  place(modulePath: string, source: (() => string) | undefined): void;
  /** A block of its own for a branch or a loop: `make` adds its nodes and gives its outputs. */
  block(name: string, inputs: readonly Operand[], make: () => readonly Operand[]): GraphBody;
  /** A block that is filled bit by bit, and that may become part of the one around it after all. */
  draft(): Draft;
  /** A size that only data tell: an extent of a value, or a 0-d value itself. */
  sizeFromData(source: SymbolSource, bounds: Bounds): SymbolicDimension;
  /** A value that a block is given by the node around it. */
  blockInput(name: string, type: OperandType): Operand;
  /** Whether an input or another value has this name. */
  isTaken(name: string): boolean;
  /** The finished graph: these outputs, what they need, and nothing else. */
  finish(name: string, outputs: readonly (readonly [name: string, value: Operand])[]): OperatorGraph;
}

/** A block of nodes while it is made. */
export interface Draft {
  /** Adds the nodes of `make` at its end. */
  run<T>(make: () => T): T;
  /** Moves its nodes into the block at hand, so that its values are values of that. */
  adopt(): void;
  /** The finished block: nodes that its outputs do not need are left out. */
  finish(name: string, inputs: readonly Operand[], outputs: readonly Operand[]): GraphBody;
}

interface Block {
  readonly nodes: GraphNode[];
  /** Sizes that were computed in this block, by symbol. */
  readonly sizes: Map<string, Operand>;
}

/** Elements of all constants that nodes ask for. */
const maxConstants = 2 ** 25;

/** A graph without nodes, for one version of ONNX's operators. */
export function createGraphBuilder(opset: number): GraphBuilder {
  const names = createNames();
  const inputs: GraphValue[] = [];
  const weights = new Map<string, LazyTensor>();
  const constants: GraphNode[] = [];
  const constantNames = new Map<string, string>();
  const tableNames = new Map<Operand, string>();
  const symbols = new Map<string, SymbolSource>();
  const main: Block = { nodes: [], sizes: new Map() };
  const blocks: Block[] = [main];
  let constantElements = 0;
  let modulePath = "";
  let source: (() => string) | undefined;

  const current = (): Block => blocks.at(-1) as Block;

  /** The name under which nodes find a value; constants and weights enter the graph here. */
  function nameOf(operand: Operand): string {
    const { origin } = operand;
    if (origin.kind === "value") return origin.name;
    if (origin.kind === "weight") {
      const { name, tensor } = origin;
      if (!weights.has(name)) weights.set(name, tensor);
      return name;
    }
    if (categoryOf(operand.dtype) === "complex") throw complexRefusal();
    if (origin.kind === "quantized")
      throw new ConvertError("unsupported", "a quantized tensor is given to what computes with numbers");
    if (origin.kind === "opaque")
      throw new ConvertError("unsupported", `the operator ${origin.operator} is not supported`);
    return constantName(operand);
  }

  function constantName(operand: Operand): string {
    const known = operand.known ?? [];
    if (known.some(isSymbolic) || operand.shape.some(isSymbolic))
      return nameOf(materializeKnown(builder, operand, symbols, current().sizes));
    if (known.length > maxKnown) return tableName(operand);
    const key = `${operand.dtype} ${operand.shape.join(",")} ${known.map((item) => (Object.is(item, -0) ? "-0" : item)).join(",")}`;
    const existing = constantNames.get(key);
    if (existing !== undefined) return existing;
    const name = putConstant(operand);
    constantNames.set(key, name);
    return name;
  }

  /** Constants stand in the graph itself, which is held in memory. */
  function countConstants(count: number): void {
    constantElements += count;
    if (constantElements > maxConstants)
      throw new ConvertError("limit", `the graph would hold constants of more than ${maxConstants} numbers`, {
        hint: "the program makes them while it runs; export the model with smaller ones, or none",
      });
  }

  /** Large ones are told apart by which they are, not by their elements. */
  function tableName(operand: Operand): string {
    const name = tableNames.get(operand) ?? putConstant(operand);
    tableNames.set(operand, name);
    return name;
  }

  function putConstant({ dtype, shape, known = [] }: Operand): string {
    countConstants(known.length);
    const name = names.value("/Constant");
    const value = encodeConstant(dtype, shape as readonly number[], known as readonly number[]);
    constants.push({
      opType: "Constant",
      domain: "",
      name: names.node("/Constant"),
      inputs: [],
      outputs: [name],
      attributes: new Map([["value", { kind: "tensor", value }]]),
    });
    return name;
  }

  const builder: GraphBuilder = {
    opset,
    guards: createGuards(),
    isTaken: names.isTaken,
    node: (opType, operands, result, attributes) =>
      builder.nodes(opType, operands, [result], attributes)[0] as Operand,
    nodes(opType, operands, results, attributes = {}) {
      checkTypes(opType, operands);
      for (const { shape } of results) checkShape(shape);
      if (computesInBfloat(opType, operands, results))
        return nodesOfFloats(builder, opType, operands, results, attributes);
      const inputNames = operands.map((operand) => (operand === undefined ? "" : nameOf(operand)));
      while (inputNames.at(-1) === "") inputNames.pop();
      const stem = `${modulePath}/${opType}`;
      if (results.some(({ dtype }) => categoryOf(dtype) === "complex")) throw complexRefusal();
      const outputs = results.map((result): Operand => {
        const origin = { kind: "value", name: names.value(stem) } as const;
        return { kind: "operand", ...result, known: undefined, origin };
      });
      current().nodes.push({
        opType,
        domain: "",
        name: names.node(stem),
        inputs: inputNames,
        outputs: outputs.map(nameOf),
        attributes: new Map(Object.entries(attributes)),
        docString: source?.(),
      });
      return outputs;
    },
    input(name, dtype, shape) {
      checkShape(shape);
      names.reserve(name);
      inputs.push({ name, dtype, dims: shape.map(dimensionText).map(asExtent) });
      return { kind: "operand", dtype, shape, known: undefined, origin: { kind: "value", name } };
    },
    define: (name, from) => {
      symbols.set(name, from);
    },
    freshSymbol: (stem) => names.symbol(stem),
    place(path, at) {
      modulePath = path === "" ? "" : `/${path.replaceAll(".", "/")}`;
      source = at;
    },
    block(name, blockInputs, make) {
      const draft = builder.draft();
      return draft.finish(name, blockInputs, draft.run(make));
    },
    draft: () => draftOf({ nodes: [], sizes: new Map(current().sizes) }),
    sizeFromData(from, bounds) {
      const name = names.symbol("data");
      symbols.set(name, from);
      return symbol(name, undefined, bounds);
    },
    blockInput: (name, type) => ({
      kind: "operand",
      ...type,
      known: undefined,
      origin: { kind: "value", name: names.value(`${modulePath}/${name}`) },
    }),
    finish(name, outputs) {
      const renamed = new Map<string, string>();
      const values: GraphValue[] = [];
      for (const [outputName, operand] of outputs) {
        names.reserve(outputName);
        const made = nameOf(operand);
        const isOwn = main.nodes.some((node) => node.outputs.includes(made)) && !renamed.has(made);
        const final = isOwn ? made : nameOf(builder.node("Identity", [operand], operand));
        renamed.set(final, outputName);
        values.push({ ...typedValue(operand), name: outputName });
      }
      const nodes = renameValues([...constants, ...main.nodes], renamed);
      const kept = pruneNodes(
        nodes,
        values.map((value) => value.name),
      );
      const opsets: readonly OperatorSet[] = [{ domain: "", version: opset }];
      const used = new Map([...weights].filter(([weight]) => kept.needed.has(weight)));
      return { name, nodes: kept.nodes, inputs, outputs: values, initializers: used, opsets };
    },
  };

  function draftOf(block: Block): Draft {
    const draft: Draft = {
      run(make) {
        blocks.push(block);
        try {
          return make();
        } finally {
          blocks.pop();
        }
      },
      adopt() {
        for (const node of block.nodes) current().nodes.push(node);
        for (const [key, size] of block.sizes) current().sizes.set(key, size);
      },
      finish(name, blockInputs, outputs) {
        // A block may only give out what one of its own nodes made.
        const made = draft.run(() => outputs.map((operand) => builder.node("Identity", [operand], operand)));
        const { nodes } = pruneNodes(block.nodes, made.map(nameOf));
        return { name, nodes, inputs: blockInputs.map(typedValue), outputs: made.map(typedValue) };
      },
    };
    return draft;
  }

  function typedValue(operand: Operand): GraphValue {
    return {
      name: nameOf(operand),
      dtype: operand.dtype,
      dims: operand.shape.map(dimensionText).map(asExtent),
    };
  }

  return builder;
}

function complexRefusal(): ConvertError {
  return new ConvertError("unsupported", "complex tensors are not supported here");
}

/** Symbols stay names in the graph's types; ONNX takes an expression for a name too. */
function asExtent(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}
