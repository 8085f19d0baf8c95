import { dtypes } from "../../core/dtype.ts";
import type { Format, Probe } from "../../core/format.ts";
import { isDistributed, isFlatBuffer, isLegacy, isPickle, isTar, isZip } from "./signatures.ts";

/** PyTorch's own files, as `torch.save` writes them. FORMAT.md beside this file has the details. */
export const pytorch: Format = {
  id: "pytorch",
  title: "PyTorch (torch.save)",
  extensions: [".pth", ".pt", ".bin", ".ckpt", ".pkl"],
  // torch has no types of six bits, and its integers below eight are shells.
  storable: new Set(dtypes.filter((dtype) => !/^(F6_|[UI][24]$)/.test(dtype))),
  sharesStorage: true,
  holdsMetadata: false,
  folderStem: "pytorch_model",
  folderExtension: ".bin",
  detect,
  loadReader: () => import("./read.ts").then((module) => module.reader),
  loadWriter: () => import("./write/write.ts").then((module) => module.writer),
  loadScanner: () => import("./scan/scan.ts").then((module) => module.scanner),
};

/** Any zip, tar or pickle may be one; a zip's directory or first entry tells most of the time. */
function detect({ head, tail }: Probe): "certain" | "likely" | "no" {
  if (isLegacy(head) || isDistributed(head) || isFlatBuffer(head)) return "certain";
  if (isZip(head))
    return includesText(head, "/data.pkl") || includesText(tail, "/data.pkl") ? "certain" : "likely";
  return isTar(head) || isPickle(head) ? "likely" : "no";
}

function includesText(bytes: Uint8Array, text: string): boolean {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let length = 1;
    while (length < text.length && bytes[at + length] === text.charCodeAt(length)) length++;
    if (length === text.length) return true;
  }
  return false;
}
