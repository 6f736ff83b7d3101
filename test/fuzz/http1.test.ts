/**
 * The HTTP/1 parser on bytes that nobody would send on purpose, for ten seconds: it never throws, never
 * reads outside its range (what lies there never changes the outcome), and says the same in pieces.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChunkedDecoder } from "../../src/data/http/http1/chunked-decoder.ts";
import { headProblem } from "../../src/data/http/http1/request-head.ts";
import { fuzzOptions } from "../support/fuzz-options.ts";
import { parseRequest, parseResponse } from "../support/parsed-heads.ts";

/** Fragments that meet at odd places, then single bytes changed. */
const fragments = fc.array(
  fc.oneof(
    fc.constantFrom(
      "GET / HTTP/1.1\r\n",
      "POST http://a/b?c HTTP/1.0\r\n",
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.0 204\r\n",
      "Host: a\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Connection: close, x-a\r\n",
      "X-A: b\r\n",
      "x-a:\t b \r\n",
      " folded\r\n",
      "\r\n",
      "\n",
      "\r",
      ":",
      "\0",
      "5\r\nhello\r\n",
      "0\r\n\r\n",
      "ffffffffff;ext\r\n",
    ),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  ),
  { maxLength: 12 },
);
const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
const input = fc.tuple(fragments, mutations).map(([parts, changes]) => {
  const bytes = Buffer.from(parts.join(""), "latin1");
  for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
  return bytes.toString("latin1");
});

function fuzz(check: (text: string) => void): void {
  fc.assert(fc.property(input, check), fuzzOptions);
}

for (const [name, parse] of [
  ["request", parseRequest],
  ["response", parseResponse],
] as const) {
  test(`a ${name}'s head`, () => {
    fuzz((text) => {
      const whole = parse(text, 100, 0x61);
      assert.deepEqual(parse(text, 100, 0x0a), whole);
      assert.deepEqual(parse(text, 100, 0x0d), whole);
      // Read byte by byte, the first outcome that is none of "incomplete" is the outcome of the whole.
      let outcome: number = headProblem.incomplete;
      for (let end = 0; end <= text.length && outcome === headProblem.incomplete; end++) {
        outcome = parse(text.slice(0, end)).end;
      }
      assert.equal(outcome, whole.end);
    });
  });
}

test("a chunked body", () => {
  fuzz((text) => {
    const whole = decodeIn(text, text.length + 1);
    for (const piece of [1, 3, 7]) assert.deepEqual(decodeIn(text, piece), whole);
  });
});

function decodeIn(text: string, piece: number): readonly [data: string, consumed: number] {
  const decoder = new ChunkedDecoder();
  let data = "";
  let consumed = 0;
  for (let at = 0; at < text.length && !decoder.isDone; at += piece) {
    const bytes = new Uint8Array(Buffer.from(text.slice(at, at + piece), "latin1"));
    const end = decoder.decode(bytes, 0, bytes.length);
    if (end < 0) return ["", -1];
    data += Buffer.from(bytes.subarray(0, decoder.dataEnd)).toString("latin1");
    consumed += end;
  }
  return [data, consumed];
}
