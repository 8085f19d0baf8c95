import { ConvertError } from "../../core/errors.ts";
import { type Shape, shapeText } from "../shapes/dimension.ts";

/** Axes that a tensor may have; torch's own operators take as many. */
const maxAxes = 64;

/** Throws kind `malformed` for a shape that no tensor can have: too many axes, or elements beyond what can be counted. */
export function checkShape(shape: Shape): void {
  if (shape.length > maxAxes)
    throw new ConvertError("malformed", `a tensor would have ${shape.length} dimensions`);
  let elements = 1;
  for (const extent of shape) elements *= typeof extent === "number" && extent > 0 ? extent : 1;
  if (elements > Number.MAX_SAFE_INTEGER)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(shape)} has more elements than can be counted`,
    );
}
