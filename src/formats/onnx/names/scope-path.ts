import type { OnnxNode } from "../model.ts";

/** Where in the module tree a node was made, as far as its name tells. */
export interface ScopePath {
  /** Dotted; `""` is the root. */
  readonly path: string;
  /** The same without the number that a second call, or a second module of one path, adds to the last part. */
  readonly withoutCount: string | undefined;
}

/** What a node says about where it comes from. */
export type ScopedNode = Pick<OnnxNode, "name" | "metadata">;

/**
 * The module path in a node's name: `/layer1/layer1.0/conv1/Conv` is of `layer1.0.conv1`; or in its metadata, in files of
 * the exporter with `dynamo=True`. Exporters before torch 1.13 give none (FORMAT.md, "Scopes").
 */
export function scopePath(node: ScopedNode): ScopePath | undefined {
  const listed = listedScopes(node);
  if (listed) return { path: listed.at(-2) ?? "", withoutCount: undefined };
  if (!node.name.startsWith("/")) return undefined;
  const components = node.name.split("/").slice(1, -1);
  const path = joinComponents(components).join(".");
  const count = /^(.+)_\d+$/.exec(components.at(-1) ?? "")?.[1];
  if (count === undefined) return { path, withoutCount: undefined };
  return { path, withoutCount: joinComponents([...components.slice(0, -1), count]).join(".") };
}

/** What all nodes of one call of a module have in common, where it is known. */
export function scopeOf(node: ScopedNode): string | undefined {
  const listed = listedScopes(node);
  if (listed) return listed.slice(0, -1).join("/");
  return node.name.startsWith("/") ? node.name.slice(0, node.name.lastIndexOf("/")) : undefined;
}

/** `['', 'body', 'body.norm', 'layer_norm']`: modules by their whole paths, and the operator. */
function listedScopes({ metadata }: ScopedNode): readonly string[] | undefined {
  const text = metadata.get("pkg.torch.onnx.name_scopes");
  return text === undefined ? undefined : quotedIn(text);
}

/** The strings in a list as Python prints it. */
export function quotedIn(text: string): readonly string[] {
  return [...text.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map((match) => match[1] as string);
}

/**
 * A component is a module's name without its parents', but with the containers' that give it a number: `features.1.0`
 * below `features.1`. What the path so far already ends with is therefore left out of it.
 */
function joinComponents(components: readonly string[]): readonly string[] {
  const path: string[] = [];
  for (const component of components) {
    const parts = component.split(".");
    let shared = Math.min(path.length, parts.length - 1);
    while (shared > 0 && !endsWith(path, parts.slice(0, shared))) shared--;
    path.push(...parts.slice(shared));
  }
  return path;
}

function endsWith(path: readonly string[], parts: readonly string[]): boolean {
  return parts.every((part, index) => path[path.length - parts.length + index] === part);
}

/** Whether all parts of one dotted path are in another one, in their order. */
export function isWithin(path: string, other: string): boolean {
  if (path === "") return true;
  const wanted = path.split(".");
  let at = 0;
  for (const part of other.split(".")) if (part === wanted[at]) at++;
  return at === wanted.length;
}
