/**
 * The Huffman code of HPACK (RFC 7541 §5.2, appendix B). It is canonical, so the lengths of its codes say
 * all: codes are counted up in the order of length, then of symbol.
 *
 * What a newcomer would get wrong: what ends a string are ones, at most seven, and never the whole of EOS.
 */

/** Bits of each byte's code; the last is that of EOS. */
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
] as const;
const eos = 256;
/** By symbol, in the last bits of a number. */
const codes = makeCodes();

/** An inner node of the tree: two branches, each a node (≥ 0) or the complement of a symbol. */
interface Tree {
  readonly zero: number[];
  readonly one: number[];
}

const noBranch = Number.MAX_SAFE_INTEGER;
const emits = 1 << 16;
const fails = 1 << 17;

/** By state and four bits: the next state, a symbol (shifted by 8) with `emits`, or `fails`. */
const steps = makeSteps(makeTree());
/** 1 for states in which a string may end: after up to seven ones. */
const mayEnd = makeEnds();

/** Where decoded bytes go; one object for many calls. */
export interface ByteOutput {
  bytes: Uint8Array;
  /** Of the next byte; moved by whoever writes. */
  at: number;
}

/** Decodes bytes[start, end) to `out`, which takes 8/5 of them at most. False: there is no such code. */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ByteOutput,
): boolean {
  const to = out.bytes;
  let at = out.at;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    const high = steps[(state << 4) | (byte >> 4)] as number;
    if (high >= emits) {
      if (high >= fails) return false;
      to[at++] = high >> 8;
    }
    const low = steps[((high & 0xff) << 4) | (byte & 15)] as number;
    if (low >= emits) {
      if (low >= fails) return false;
      to[at++] = low >> 8;
    }
    state = low & 0xff;
  }
  out.at = at;
  return mayEnd[state] === 1;
}

/** How many bytes bytes[start, end) would be. */
export function huffmanLength(bytes: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let i = start; i < end; i++) bits += codeLengths[bytes[i] as number] as number;
  return (bits + 7) >> 3;
}

/** Encodes bytes[start, end) to `at` of the same bytes; returns the position behind. */
export function encodeHuffman(bytes: Uint8Array, start: number, end: number, at: number): number {
  let to = at;
  let pending = 0;
  let bits = 0;
  for (let i = start; i < end; i++) {
    const symbol = bytes[i] as number;
    const code = codes[symbol] as number;
    for (let left = codeLengths[symbol] as number; left > 0;) {
      const taken = Math.min(8 - bits, left);
      left -= taken;
      pending = (pending << taken) | ((code >>> left) & ((1 << taken) - 1));
      bits += taken;
      if (bits < 8) continue;
      bytes[to++] = pending;
      pending = 0;
      bits = 0;
    }
  }
  if (bits === 0) return to;
  bytes[to] = (pending << (8 - bits)) | (0xff >> bits);
  return to + 1;
}

function makeCodes(): Uint32Array {
  const made = new Uint32Array(codeLengths.length);
  const order = codeLengths
    .map((length, symbol) => ({ length, symbol }))
    .sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let lengthBefore = 0;
  for (const { length, symbol } of order) {
    code *= 2 ** (length - lengthBefore);
    lengthBefore = length;
    made[symbol] = code++;
  }
  return made;
}

function makeTree(): Tree {
  const tree: Tree = { zero: [noBranch], one: [noBranch] };
  for (const [symbol, length] of codeLengths.entries())
    addCode(tree, codes[symbol] as number, length, symbol);
  return tree;
}

function addCode(tree: Tree, code: number, length: number, symbol: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const branches = (code >>> bit) & 1 ? tree.one : tree.zero;
    let next = branches[node] as number;
    if (next === noBranch) {
      next = tree.zero.push(noBranch) - 1;
      tree.one.push(noBranch);
      branches[node] = next;
    }
    node = next;
  }
  ((code & 1) === 1 ? tree.one : tree.zero)[node] = ~symbol;
}

function makeSteps(tree: Tree): Uint32Array {
  const table = new Uint32Array(tree.zero.length * 16);
  for (let state = 0; state < tree.zero.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++)
      table[state * 16 + nibble] = step(tree, state, nibble);
  }
  return table;
}

function step(tree: Tree, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = ((nibble >> bit) & 1 ? tree.one : tree.zero)[node] as number;
    if (next >= 0) {
      node = next;
      continue;
    }
    if (~next === eos) return fails;
    emitted = emits | (~next << 8);
    node = 0;
  }
  return emitted | node;
}

function makeEnds(): Uint8Array {
  const ends = new Uint8Array(256);
  const { one } = makeTree();
  let node = 0;
  for (let ones = 0; ones <= 7; ones++) {
    ends[node] = 1;
    node = one[node] as number;
  }
  return ends;
}
