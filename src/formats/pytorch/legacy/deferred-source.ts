import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";

/** A source of known size whose bytes are found later. */
export interface DeferredSource extends ByteSource {
  readonly bound: boolean;
  bind(source: ByteSource): void;
}

/** A source that `bind` gives its bytes; reading it before is a broken file's doing, told with `site`. */
export function createDeferredSource(name: string, size: number, site: ErrorSite): DeferredSource {
  let inner: ByteSource | undefined;
  return {
    name,
    size,
    get bound() {
      return inner !== undefined;
    },
    bind(source) {
      inner = source;
    },
    async readInto(target, offset, request) {
      if (inner === undefined)
        throw new ConvertError("malformed", `the bytes of ${name} are nowhere in the file`, site);
      await inner.readInto(target, offset, request);
    },
    place: async (offset, request) => inner?.place?.(offset, request),
  };
}
