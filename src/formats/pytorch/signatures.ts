/** The number that opens a legacy stream, 0x1950a86a20f9469cfc6c as a pickle; its second byte is the protocol. */
const legacyMagic = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const zipMagic = [0x50, 0x4b, 0x03, 0x04];
const flatBufferMagic = [0x50, 0x54, 0x4d, 0x46];
const tarMagic = [0x75, 0x73, 0x74, 0x61, 0x72];

/** Whether bytes start like a zip archive. */
export function isZip(head: Uint8Array): boolean {
  return matches(head, zipMagic, 0);
}

/** Whether bytes start like the stream of `torch.save` before 1.6 (FORMAT.md, "Legacy stream"). */
export function isLegacy(head: Uint8Array): boolean {
  // From protocol 4 on, a frame opcode of nine bytes may stand in between.
  return (
    head[0] === 0x80 &&
    (matches(head, legacyMagic, 2) || (head[2] === 0x95 && matches(head, legacyMagic, 11)))
  );
}

/** Whether bytes start like a pickle: with its protocol, or in the old text form, with a class of torch or NumPy near by. */
export function isPickle(head: Uint8Array): boolean {
  if (head[0] === 0x80) return (head[1] as number) >= 2 && (head[1] as number) <= 5;
  const opens = [0x28, 0x5d, 0x63, 0x7d].includes(head[0] as number);
  return opens && /torch|numpy/.test(String.fromCharCode(...head.subarray(0, 512)));
}

/** Whether bytes start like a tar archive (FORMAT.md, "Tar"). */
export function isTar(head: Uint8Array): boolean {
  return matches(head, tarMagic, 257);
}

/** Whether bytes start like a TorchScript module for mobile in a flatbuffer: `PTMF` after the root's offset. */
export function isFlatBuffer(head: Uint8Array): boolean {
  return matches(head, flatBufferMagic, 4);
}

/** Whether bytes start like the `.metadata` of a distributed checkpoint: a pickle whose first name is of its module. */
export function isDistributed(head: Uint8Array): boolean {
  if (head[0] !== 0x80) return false;
  const start = String.fromCharCode(...head.subarray(0, 128));
  return /torch\.distributed\.(_shard\.)?checkpoint\.metadata/.test(start);
}

function matches(head: Uint8Array, magic: readonly number[], at: number): boolean {
  return magic.every((byte, index) => head[at + index] === byte);
}
