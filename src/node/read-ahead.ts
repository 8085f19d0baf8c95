/** Reads of up to this size are looked after: tensors of norms and biases, and headers of archives. */
const smallBytes = 4096;

/** How far beyond the last read the next of a row may begin: entries of an archive have headers between their contents. */
const gapBytes = 1024;

/** Bytes read at once, and how many small reads in a row make that worth it. */
const windowBytes = 64 * 1024;
const rowLength = 4;

/** Rows followed at once: about as many as there are lanes. */
const rowCount = 4;

/** Small reads, one shortly behind the other. */
interface Row {
  end: number;
  length: number;
  /** Bytes of the file from `start` on, of which `filled` are read. */
  window: Uint8Array | undefined;
  start: number;
  filled: number;
}

/** Serves small reads that follow one another from larger ones. */
export interface ReadAhead {
  /** Fills `target` from bytes that were read ahead, or reads ahead now; `false` where the read is not one of a row. */
  serve(target: Uint8Array, offset: number): boolean;
}

/**
 * Over a file whose bytes do not change while it is read. A checkpoint of 200,000 small tensors makes as many reads,
 * each a call of the system; in rows they become a few hundred. `readSome` fills its target as far as the file goes
 * and gives the count.
 */
export function createReadAhead(readSome: (target: Uint8Array, offset: number) => number): ReadAhead {
  const rows: Row[] = [];

  function rowOf(offset: number): Row {
    const known = rows.find(({ end }) => offset >= end && offset - end <= gapBytes);
    if (known) return known;
    const row: Row = (rows.length < rowCount ? undefined : rows.shift()) ?? {
      end: 0,
      length: 0,
      window: undefined,
      start: 0,
      filled: 0,
    };
    row.length = 0;
    row.filled = 0;
    rows.push(row);
    return row;
  }

  return {
    serve(target, offset) {
      if (target.length > smallBytes || target.length === 0) return false;
      const row = rowOf(offset);
      const end = offset + target.length;
      row.end = end;
      row.length++;
      if (row.length < rowLength) return false;
      if (offset < row.start || end > row.start + row.filled) {
        row.window ??= new Uint8Array(windowBytes);
        row.start = offset;
        row.filled = readSome(row.window, offset);
        if (row.filled < target.length) return false;
      }
      target.set((row.window as Uint8Array).subarray(offset - row.start, end - row.start));
      return true;
    },
  };
}
