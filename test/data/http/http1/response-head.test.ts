import assert from "node:assert/strict";
import { test } from "node:test";
import { headProblem } from "../../../../src/data/http/http1/request-head.ts";
import { responseHead } from "../../../../src/data/http/http1/response-head.ts";
import { parseResponse } from "../../../support/parsed-heads.ts";

const head = (...lines: readonly string[]): string => [...lines, "", ""].join("\r\n");

test("parse() reads the status, its reason and the framing", () => {
  const text = head("HTTP/1.1 404 Not Found", "Content-Length: 7", "Date: now", "Server: s");
  assert.equal(parseResponse(text).end, text.length);
  assert.equal(responseHead.status, 404);
  assert.equal(responseHead.statusEnd - responseHead.statusStart, "404 Not Found".length);
  assert.equal(responseHead.fields.contentLength, 7);
  assert.equal(responseHead.hasDate, true);
  assert.equal(responseHead.serverIndex, 2);
});

test("parse() takes an empty reason, with its blank or without", () => {
  for (const line of ["HTTP/1.1 200 ", "HTTP/1.1 200"]) {
    assert.ok(parseResponse(head(line, "A: b")).end > 0, line);
    assert.equal(responseHead.status, 200);
  }
});

for (const line of [
  "HTTP/2 200 OK",
  "HTTP/1.1 99 Low",
  "HTTP/1.1 2000 Long",
  "HTTP/1.1  200 OK",
  "HTTP/1.1 20x OK",
  "HTTP/1.1 200 O\0K",
  "http/1.1 200 OK",
]) {
  test(`parse() refuses ${JSON.stringify(line)}`, () => {
    assert.equal(parseResponse(head(line)).end, headProblem.malformed);
  });
}

test("parse() refuses both lengths: a response can be smuggled too", () => {
  const text = head("HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked");
  assert.equal(parseResponse(text).end, headProblem.lengthAndChunked);
});

test("every true prefix is incomplete", () => {
  const text = head("HTTP/1.1 200 OK", "Content-Length: 7", "X-Any: thing");
  for (let length = 0; length < text.length; length++) {
    assert.equal(parseResponse(text.slice(0, length), 100, 0x0a).end, headProblem.incomplete);
  }
});
