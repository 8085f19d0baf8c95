import type { GraphAttribute } from "../../core/graph.ts";

export { intAttribute, intsAttribute } from "../../core/graph.ts";

/** A `float` attribute. */
export function floatAttribute(value: number): GraphAttribute {
  return { kind: "float", value };
}

/** A `string` attribute. */
export function stringAttribute(value: string): GraphAttribute {
  return { kind: "string", value };
}
