import { type ConvertError, isConvertError } from "../../src/core/errors.ts";

/** How a call ended: with a value, or with a failure in our own words. */
export type Outcome<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: ConvertError };

/** Waits for a call; an error that is not ours is a bug, and passes through. */
export async function outcomeOf<T>(call: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    if (isConvertError(error)) return { error };
    throw error;
  }
}
