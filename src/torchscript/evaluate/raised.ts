import { ConvertError } from "../../core/errors.ts";

/** How much of a message is shown, in characters. */
const maxShown = 2000;

const raised = new WeakSet<Error>();

/** The error that a program raises itself, with its own message. */
export function programError(message: string): ConvertError {
  const shown = message.length > maxShown ? `${message.slice(0, maxShown)}…` : message;
  const error = new ConvertError("unsupported", `the program raises an error: ${shown}`, {
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
