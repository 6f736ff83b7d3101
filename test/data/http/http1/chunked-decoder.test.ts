import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ChunkedDecoder,
  chunkOverheadMax,
} from "../../../../src/data/http/http1/chunked-decoder.ts";
import { chunkEncoder, lastChunk } from "../../../../src/data/http/http1/chunk-encoder.ts";

interface Outcome {
  readonly data: string;
  /** Bytes that belonged to the body; -1: malformed. */
  readonly consumed: number;
  readonly isDone: boolean;
}

/** Decodes `text` in pieces cut at `cuts`. */
function decode(text: string, cuts: readonly number[] = []): Outcome {
  const decoder = new ChunkedDecoder();
  let data = "";
  let consumed = 0;
  const ends = [...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
  let start = 0;
  for (const end of ends) {
    const bytes = new Uint8Array(Buffer.from(text.slice(start, end), "latin1"));
    const at = decoder.decode(bytes, 0, bytes.length);
    if (at < 0) return { data, consumed: -1, isDone: false };
    data += Buffer.from(bytes.subarray(0, decoder.dataEnd)).toString("latin1");
    consumed += at;
    start = end;
    if (decoder.isDone) break;
  }
  return { data, consumed, isDone: decoder.isDone };
}

const anyBytes = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));
const chunks = fc.array(anyBytes, { maxLength: 6 });
const framing = fc.record({
  extension: fc.constantFrom("", ";a", ';a="b c"', ";x=y;z"),
  trailers: fc.constantFrom("", "A: b\r\n", "A: b\r\nC-D:\r\n"),
  isUpper: fc.boolean(),
});

function encode(
  parts: readonly string[],
  { extension, trailers, isUpper }: { extension: string; trailers: string; isUpper: boolean },
): string {
  const size = (part: string): string => {
    const hex = part.length.toString(16);
    return isUpper ? hex.toUpperCase() : hex;
  };
  const body = parts.map((part) => `${size(part)}${extension}\r\n${part}\r\n`).join("");
  return `${body}0\r\n${trailers}\r\n`;
}

test("decode() finds data and end wherever the bytes are cut", () => {
  fc.assert(
    fc.property(chunks, framing, fc.array(fc.nat(300), { maxLength: 20 }), (parts, how, cuts) => {
      const text = encode(parts, how);
      assert.deepEqual(decode(`${text}GET /`, cuts), {
        data: parts.join(""),
        consumed: text.length,
        isDone: true,
      });
    }),
  );
});

test("decode() reads byte by byte what it reads at once", () => {
  const text = encode(
    ["hello", "", "world".repeat(9)].filter((part) => part !== ""),
    {
      extension: ";a",
      trailers: "A: b\r\n",
      isUpper: true,
    },
  );
  const everywhere = Array.from({ length: text.length }, (_, i) => i);
  assert.deepEqual(decode(text, everywhere), decode(text));
});

for (const text of [
  "x\r\n",
  "\r\n",
  " 1\r\na\r\n",
  "1 \r\na\r\n",
  "-1\r\n",
  "+1\r\na\r\n",
  "0x1\r\na\r\n",
  "1\na\r\n",
  "1\r\nab\r\n",
  "1\r\na\n",
  "1;a\n",
  "1;a\0\r\n",
  "00000000000001\r\na\r\n",
  "0\r\n\n",
  "0\r\nA : b\r\n\r\n",
  "0\r\n: b\r\n\r\n",
  "0\r\nA: b\n\r\n",
  "0\r\n A: b\r\n\r\n",
]) {
  test(`decode() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(decode(text).consumed, -1);
  });
}

test("decode() bounds what extensions and trailers cost", () => {
  assert.equal(decode(`1;${"a".repeat(chunkOverheadMax + 1)}`).consumed, -1);
  const trailers = "A: b\r\n".repeat(chunkOverheadMax / 4 + 1);
  assert.equal(decode(`0\r\n${trailers}`).consumed, -1);
});

test("encode() writes what decode() reads, in place", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), fc.boolean(), (body, isEnd) => {
      const bytes = new Uint8Array(body.length + 64);
      bytes.set(body, 32);
      chunkEncoder.encode(bytes, 32, 32 + body.length, isEnd);
      const { start, end } = chunkEncoder;
      assert.ok(start >= 16 && end <= 32 + body.length + 7);
      const decoder = new ChunkedDecoder();
      assert.equal(decoder.decode(bytes, start, end), end);
      assert.equal(decoder.isDone, isEnd);
      assert.deepEqual(Buffer.from(bytes.subarray(start, decoder.dataEnd)), Buffer.from(body));
    }),
    { numRuns: 50 },
  );
  assert.equal(Buffer.from(lastChunk).toString(), "0\r\n\r\n");
});
