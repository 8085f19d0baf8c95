/**
 * The exports of a WebAssembly module in base64 that imports nothing. `undefined` where a platform has no WebAssembly,
 * has no vectors in it, or forbids it, as pages may: the caller has loops that do the same.
 */
export function instantiate(base64: string): WebAssembly.Exports | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  } catch {
    return undefined;
  }
}
