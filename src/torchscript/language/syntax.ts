/** Where something stands in a source file: offset of its first character. Files are named by who parses them. */
export interface Positioned {
  readonly at: number;
}

/** An expression as TorchScript's printer writes it: calls, names and literals, no operators but minus. */
export type Expression =
  | Name
  | Literal
  | Attribute
  | Call
  | Subscript
  | Sequence
  | DictLiteral
  | (Positioned & { readonly kind: "negative"; readonly operand: Expression });

/** A variable, a function of the language, or the head of a dotted name. */
export interface Name extends Positioned {
  readonly kind: "name";
  readonly id: string;
}

/** A constant: ints are bigint, floats numbers, so that the two stay apart; complex numbers are not read. */
export interface Literal extends Positioned {
  readonly kind: "literal";
  readonly value: null | boolean | bigint | number | string;
}

/** `object.name`. */
export interface Attribute extends Positioned {
  readonly kind: "attribute";
  readonly object: Expression;
  readonly name: string;
}

/** A call; `named` holds the keyword arguments in order. */
export interface Call extends Positioned {
  readonly kind: "call";
  readonly callee: Expression;
  readonly positional: readonly Expression[];
  readonly named: readonly { readonly name: string; readonly value: Expression }[];
}

/** `object[items]`, or `object[start:end]` of a tuple. */
export interface Subscript extends Positioned {
  readonly kind: "subscript";
  readonly object: Expression;
  readonly items: readonly Expression[];
  /** Set for a slice of a tuple, which has two items. */
  readonly isSlice: boolean;
}

/** `[…]` or `(…)`. */
export interface Sequence extends Positioned {
  readonly kind: "list" | "tuple";
  readonly items: readonly Expression[];
}

/** `{key: value, …}`. */
export interface DictLiteral extends Positioned {
  readonly kind: "dict";
  readonly entries: readonly (readonly [Expression, Expression])[];
}

/** A statement of a function's body. */
export type Statement =
  | Assignment
  | Unpacking
  | (Positioned & { readonly kind: "expression"; readonly value: Expression })
  | (Positioned & { readonly kind: "return"; readonly value: Expression })
  | (Positioned & { readonly kind: "pass" })
  | Branch
  | (Positioned & {
      readonly kind: "for";
      readonly name: string;
      readonly count: Expression;
      readonly body: readonly Statement[];
    })
  | (Positioned & {
      readonly kind: "while";
      readonly condition: Expression;
      readonly body: readonly Statement[];
    })
  | (Positioned & {
      readonly kind: "with";
      readonly value: Expression;
      readonly name: string | undefined;
      readonly body: readonly Statement[];
    })
  | (Positioned & { readonly kind: "closure"; readonly definition: FunctionDefinition });

/** `a, b = x, y`: as many values as targets, all evaluated before the first is bound. */
export interface Assignment extends Positioned {
  readonly kind: "assign";
  readonly targets: readonly Expression[];
  readonly values: readonly Expression[];
}

/** `a, b, = x`: one value taken apart. */
export interface Unpacking extends Positioned {
  readonly kind: "unpack";
  readonly targets: readonly Expression[];
  readonly value: Expression;
}

/** `if condition: … else: …`. */
export interface Branch extends Positioned {
  readonly kind: "if";
  readonly condition: Expression;
  readonly then: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

/** A parameter; `type` is an expression such as `Optional[Tensor]`. */
export interface Parameter {
  readonly name: string;
  readonly type: Expression | undefined;
  readonly default: Expression | undefined;
}

/** `def name(parameters) -> result: body`. */
export interface FunctionDefinition extends Positioned {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly result: Expression | undefined;
  readonly body: readonly Statement[];
}

/** `class name(base): …`. */
export interface ClassDefinition extends Positioned {
  readonly name: string;
  /** Module, NamedTuple, Enum, Interface or ModuleInterface; `undefined` for a plain class. */
  readonly base: string | undefined;
  readonly parameters: readonly string[];
  readonly buffers: readonly string[];
  readonly preHooks: readonly string[];
  readonly hooks: readonly string[];
  /** Attributes, or the fields of a NamedTuple, in order, with their types. */
  readonly attributes: ReadonlyMap<string, Expression>;
  /** Class constants and the members of an Enum. */
  readonly constants: ReadonlyMap<string, Expression>;
  readonly methods: ReadonlyMap<string, FunctionDefinition>;
}

/** All that one source file defines. */
export interface SourceFile {
  /** As errors name it: `code/__torch__/net.py`. */
  readonly file: string;
  readonly classes: ReadonlyMap<string, ClassDefinition>;
  readonly functions: ReadonlyMap<string, FunctionDefinition>;
}
