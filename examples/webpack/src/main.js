import whole from "../model.pth";
import half from "../model.pth?dtype=f16";

export const addresses = { whole, half };
