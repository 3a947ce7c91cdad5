// An alias blob read in plain JavaScript: who else is in it, and an edge drawn from it.
//   node decode_blob.mjs BLOB                 a line per slice: offset, edges, heaviest share
//   node decode_blob.mjs BLOB OFFSET U...     the edge number each uniform in (0, 1) picks
// Slices stand in ascending merchant_id, each at a multiple of 8 bytes. OFFSET is blob_offset_bytes of the
// merchant's row in edge_alias_index_3B; edge number i is its i-th edge by edge_id in edge_catalogue_3B.
import { readFileSync } from "node:fs";

const ALIGNMENT = 8, HEADER = 16, PAIR = 8, ONE = 2 ** 32;

function readSlice(view, offset) {
  const aligned = Number.isInteger(offset) && offset >= 0 && offset % ALIGNMENT === 0;
  const fits = (bytes) => aligned && offset + bytes <= view.byteLength;
  if (!fits(HEADER)) throw new RangeError(`no slice at byte ${offset}`);
  const word = (at) => view.getUint32(offset + at, true);
  const count = word(0);
  if (count === 0 || word(4) !== 32 || word(8) !== 0 || word(12) !== 0 || !fits(HEADER + PAIR * count)) {
    throw new RangeError(`no slice at byte ${offset}`);
  }
  const keep = [], alias = [];
  for (let i = 0; i < count; i++) {
    keep.push(word(HEADER + PAIR * i));
    alias.push(word(HEADER + PAIR * i + 4));
    if (alias[i] >= count) throw new RangeError(`the slice at byte ${offset} names an edge it has not`);
  }
  return { count, keep, alias, bytes: HEADER + PAIR * count };
}

// Column i is drawn with probability 1/n; it keeps keep[i]/2^32 of that and leaves the rest to alias[i].
function shares({ count, keep, alias }) {
  const share = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const kept = alias[i] === i ? 1 : keep[i] / ONE;
    share[i] += kept / count;
    share[alias[i]] += (1 - kept) / count;
  }
  return share;
}

function pick({ count, keep, alias }, u) {
  if (!(u > 0 && u < 1)) throw new RangeError(`${u} is not between 0 and 1`);
  const column = Math.floor(u * count);
  return Math.floor((u * count - column) * ONE) < keep[column] ? column : alias[column];
}

const [path, offset, ...uniforms] = process.argv.slice(2);
const file = readFileSync(path);
const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
if (offset !== undefined) {
  const slice = readSlice(view, Number(offset));
  console.log(uniforms.map((u) => pick(slice, Number(u))).join("\n"));
} else {
  for (let at = 0; at < file.length; ) {
    const slice = readSlice(view, at);
    console.log(at, slice.count, Math.max(...shares(slice)).toFixed(9));
    at += Math.ceil(slice.bytes / ALIGNMENT) * ALIGNMENT;
  }
}
