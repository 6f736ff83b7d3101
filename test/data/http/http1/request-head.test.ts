import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { headProblem, requestHead } from "../../../../src/data/http/http1/request-head.ts";
import { parseRequest } from "../../../support/parsed-heads.ts";

const head = (...lines: readonly string[]): string => [...lines, "", ""].join("\r\n");

test("parse() lower-cases names, trims values and drops the fields of this hop", () => {
  const text = head(
    "GET /a?b HTTP/1.1",
    "Host: x",
    "X-One:  spaced \t",
    "Connection: keep-alive, X-Mine",
    "X-MINE: gone",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Proxy-Connection: close",
    "Empty:",
  );
  assert.deepEqual(parseRequest(text), {
    end: text.length,
    fields: [
      ["host", "x"],
      ["x-one", "spaced"],
      ["te", "trailers"],
      ["empty", ""],
    ],
  });
  assert.equal(requestHead.isPersistent, true);
});

const refused: readonly (readonly [what: string, text: string, problem: number])[] = [
  ["no method", head(" / HTTP/1.1"), headProblem.malformed],
  ["method with a colon", head("G:T / HTTP/1.1"), headProblem.malformed],
  ["two blanks after the method", head("GET  / HTTP/1.1"), headProblem.malformed],
  ["no target", head("GET HTTP/1.1"), headProblem.malformed],
  ["control byte in the target", head("GET /\x01 HTTP/1.1"), headProblem.malformed],
  ["HTTP/2.0", head("GET / HTTP/2.0"), headProblem.malformed],
  ["HTTP/1.2", head("GET / HTTP/1.2"), headProblem.malformed],
  ["blank after the version", head("GET / HTTP/1.1 "), headProblem.malformed],
  ["bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", headProblem.malformed],
  ["bare LF after a field", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", headProblem.malformed],
  ["bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n", headProblem.malformed],
  ["bare CR in a value", head("GET / HTTP/1.1", "A: b\rc"), headProblem.malformed],
  ["NUL in a value", head("GET / HTTP/1.1", "A: b\0c"), headProblem.malformed],
  ["NUL in a name", head("GET / HTTP/1.1", "A\0: b"), headProblem.malformed],
  ["blank before the colon", head("GET / HTTP/1.1", "A : b"), headProblem.malformed],
  ["obs-fold", head("GET / HTTP/1.1", "A: b", " c"), headProblem.malformed],
  ["no colon", head("GET / HTTP/1.1", "Abc"), headProblem.malformed],
  ["no name", head("GET / HTTP/1.1", ": b"), headProblem.malformed],
  [
    "both lengths",
    head("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
    headProblem.lengthAndChunked,
  ],
  [
    "lengths that differ",
    head("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
    headProblem.contentLength,
  ],
  ["signed length", head("POST / HTTP/1.1", "Content-Length: +1"), headProblem.contentLength],
  ["length of a list", head("POST / HTTP/1.1", "Content-Length: 1, 1"), headProblem.contentLength],
  ["hex length", head("POST / HTTP/1.1", "Content-Length: 0x1"), headProblem.contentLength],
  ["empty length", head("POST / HTTP/1.1", "Content-Length:"), headProblem.contentLength],
  [
    "huge length",
    head("POST / HTTP/1.1", "Content-Length: 99999999999999999999"),
    headProblem.contentLength,
  ],
  [
    "gzip, chunked",
    head("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    headProblem.transferEncoding,
  ],
  [
    "chunked twice",
    head("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    headProblem.transferEncoding,
  ],
  [
    "chunked with a tail",
    head("POST / HTTP/1.1", "Transfer-Encoding: chunked;q=1"),
    headProblem.transferEncoding,
  ],
  [
    "Connection that takes the client's address away",
    head("GET / HTTP/1.1", "Connection: x-forwarded-for"),
    headProblem.nominatedHeader,
  ],
  [
    "Connection that names a pseudo-header",
    head("GET / HTTP/1.1", "Connection: :path"),
    headProblem.nominatedHeader,
  ],
  [
    "Connection that takes the length away",
    head("GET / HTTP/1.1", "Connection: close, Content-Length"),
    headProblem.nominatedHeader,
  ],
  ["two hosts", head("GET / HTTP/1.1", "Host: a", "Host: b"), headProblem.host],
];

for (const [what, text, problem] of refused) {
  test(`parse() refuses ${what}`, () => {
    assert.equal(parseRequest(text).end, problem);
  });
}

test("parse() tells of a fragment, which is for its reader to refuse", () => {
  assert.ok(parseRequest(head("GET /a#b?c#d HTTP/1.1")).end > 0);
  assert.equal(requestHead.hasFragment, true);
  assert.equal(parseRequest(head("GET /#\x01 HTTP/1.1")).end, headProblem.malformed);
  assert.ok(parseRequest(head("GET /a HTTP/1.1")).end > 0);
  assert.equal(requestHead.hasFragment, false);
});

test("parse() lets a Connection field take Host away", () => {
  assert.ok(parseRequest(head("GET / HTTP/1.1", "Connection: host")).end > 0);
  assert.equal(requestHead.hostIndex, -1);
});

test("parse() stops at the most fields allowed", () => {
  const lines = Array.from({ length: 100 }, (_, i) => `A${i}: b`);
  assert.ok(parseRequest(head("GET / HTTP/1.1", ...lines)).end > 0);
  assert.equal(
    parseRequest(head("GET / HTTP/1.1", ...lines, "One: more")).end,
    headProblem.tooMany,
  );
});

test("isPersistent follows version and Connection", () => {
  const persistent = (version: string, ...fields: readonly string[]): boolean => {
    assert.ok(parseRequest(head(`GET / HTTP/${version}`, "Host: x", ...fields)).end > 0);
    return requestHead.isPersistent;
  };
  assert.equal(persistent("1.1"), true);
  assert.equal(persistent("1.1", "Connection: Close"), false);
  assert.equal(persistent("1.1", "Connection: keep-alive, CLOSE"), false);
  assert.equal(persistent("1.1", "Connection: keep-alive", "Connection: close"), false);
  assert.equal(persistent("1.0"), false);
  assert.equal(persistent("1.0", "Connection: Keep-Alive"), true);
});

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.stringMatching(/^([!-~]([ -~]{0,30}[!-~])?)?$/);
const anyHead = fc
  .record({
    method: token,
    target: fc.stringMatching(/^\/[!-"$-~]{0,30}$/),
    fields: fc.array(fc.tuple(fc.tuple(fc.constant("x-"), token), value), { maxLength: 8 }),
  })
  .map(({ method, target, fields }) => ({
    fields: fields.map(([[prefix, name], text]) => [prefix + name, text] as const),
    line: `${method} ${target} HTTP/1.1`,
  }));

test("parse() gives back what was written", () => {
  fc.assert(
    fc.property(anyHead, ({ line, fields }) => {
      const text = head(line, ...fields.map(([name, text]) => `${name}: ${text}`));
      const parsed = parseRequest(text);
      assert.equal(parsed.end, text.length);
      assert.deepEqual(
        parsed.fields,
        fields.map(([name, text]) => [name.toLowerCase(), text]),
      );
    }),
  );
});

test("every true prefix of a head is incomplete, whatever lies behind it", () => {
  fc.assert(
    fc.property(anyHead, ({ line, fields }) => {
      const text = head(line, ...fields.map(([name, text]) => `${name}: ${text}`));
      for (let length = 0; length < text.length; length++) {
        for (const filler of [0x0a, 0x0d, 0x61]) {
          const parsed = parseRequest(text.slice(0, length), 100, filler);
          assert.equal(parsed.end, headProblem.incomplete, JSON.stringify(text.slice(0, length)));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("a head split at any byte is refused for the same reason as the whole", () => {
  for (const [what, text, problem] of refused) {
    let outcome: number = headProblem.incomplete;
    for (let length = 1; length <= text.length && outcome === headProblem.incomplete; length++) {
      outcome = parseRequest(text.slice(0, length), 100, 0x0a).end;
    }
    assert.equal(outcome, problem, what);
  }
});
