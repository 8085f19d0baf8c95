import { ConvertError } from "../core/errors.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes meant by `500MB` (decimal, as on the Hub), `4GiB` (binary) or a plain number. Throws kind `usage`. */
export function parseSize(text: string): number {
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(text);
  const unit = units[(parts?.[2] ?? "?").toLowerCase()];
  const bytes = Math.floor(Number(parts?.[1]) * (unit ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new ConvertError("usage", `"${text}" is no size`, {
      hint: "write 500MB or 5GB (decimal), 512MiB or 4GiB (binary), or a number of bytes",
    });
  }
  return bytes;
}
