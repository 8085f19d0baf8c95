import { ConvertError, type ErrorKind } from "../core/errors.ts";

const words: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission is denied",
  EPERM: "the operation is not permitted",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is no folder",
  EEXIST: "it is there already",
  ENOSPC: "there is no space left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  EIO: "the device reports an error",
  EFBIG: "the file system does not hold files that large",
};

/** A failure of the operating system in our terms; what is ours already passes unchanged. */
export function systemError(kind: ErrorKind, file: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (!(cause instanceof Error) || code === undefined || cause instanceof ConvertError) return cause;
  const hint =
    code === "ENOSPC" || code === "EDQUOT" ? "free some space, or write to another disk" : undefined;
  return new ConvertError(kind, words[code] ?? `the system reports ${code}`, { file, hint, cause });
}
