import type { PickleValue } from "../../../containers/pickle/values.ts";

/** A name and the value under it, as a state dict has them. */
export type NamedValue = readonly [name: PickleValue, value: PickleValue];
