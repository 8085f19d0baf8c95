import { ConvertError } from "../../core/errors.ts";

const raised = new WeakSet<Error>();

/** The error that a program raises itself, with its own message. */
export function programError(message: string): ConvertError {
  const error = new ConvertError("unsupported", `the program raises an error: ${message}`, {
    hint: "check the shapes and values of --input and --arg; the message is the model's own",
  });
  raised.add(error);
  return error;
}

/** The error that the program raised, where an error comes of one; `undefined` for all others. */
export function raisedBy(error: unknown): ConvertError | undefined {
  if (!(error instanceof ConvertError)) return undefined;
  return raised.has(error) ? error : raisedBy(error.cause);
}
