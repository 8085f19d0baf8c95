import { roundUp } from "../../bytes/size.ts";
import { editObject, type ObjectChanges } from "../../containers/json/edit-object.ts";
import { memberSpans, skipSpace, spliced, startOfValue } from "../../containers/json/members.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FormatEditor } from "../../core/format.ts";
import { maxHeaderBytes, parseHeader } from "./header.ts";
import { readHead } from "./read-head.ts";

const compact = { before: "", between: ",", after: "", colon: ":" };

/** Changes `__metadata__` and not a byte else, where there is room; everything keeps its place and its spelling. */
export const editor: FormatEditor = {
  async editMetadata(source, changes, context) {
    const { header, dataStart } = await readHead(source, context);
    const dataBytes = source.size - dataStart;
    parseHeader(header, dataBytes, source.name);
    const text = changed(header, changes, source.name);
    const size = text.length <= header.length ? header.length : roundUp(text.length, 8);
    if (size > maxHeaderBytes) {
      throw new ConvertError(
        "unsupported",
        `the header would have ${size} bytes, but safetensors allows ${maxHeaderBytes}`,
        { file: source.name },
      );
    }
    const head = new Uint8Array(8 + size).fill(0x20);
    new DataView(head.buffer).setBigUint64(0, BigInt(size), true);
    head.set(text, 8);
    // Nothing is written that could not be read.
    const { metadata } = parseHeader(head.subarray(8), dataBytes, source.name);
    const before = new Uint8Array(dataStart);
    new DataView(before.buffer).setBigUint64(0, BigInt(header.length), true);
    before.set(header, 8);
    return { before, head, metadata };
  },
};

/** The header with other metadata, the first of all places where it fits: where it stood, with spaces in place of what went. */
function changed(header: Uint8Array, changes: ObjectChanges, file: string): Uint8Array {
  const start = startOfValue(header);
  const members = memberSpans(header, start);
  const member = members.find(({ key }) => key === "__metadata__");
  if (member === undefined) {
    const text = `"__metadata__":${editObject(header, undefined, changes, compact, file)}`;
    return withoutPadding(spliced(header, start + 1, start + 1, members.length > 0 ? `${text},` : text));
  }
  // `null` stands for none.
  const at = header[member.valueStart] === 0x7b ? member.valueStart : undefined;
  const text = editObject(header, at, changes, compact, file);
  // Spaces behind it were left by an earlier change.
  const end = skipSpace(header, member.end);
  const room = end - member.valueStart;
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= room) return spliced(header, member.valueStart, end, text + " ".repeat(room - bytes));
  return withoutPadding(spliced(header, member.valueStart, end, text));
}

function withoutPadding(text: Uint8Array): Uint8Array {
  let end = text.length;
  while (text[end - 1] === 0x20) end--;
  return text.subarray(0, end);
}
