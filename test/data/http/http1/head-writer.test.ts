import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { headers } from "../../../../src/data/http/http1/header-table.ts";
import { HeadWriter } from "../../../../src/data/http/http1/head-writer.ts";
import { type ByteSink, sendJoined } from "../../../../src/data/http/http1/joined-bytes.ts";
import { requestHead } from "../../../../src/data/http/http1/request-head.ts";
import { createTestArena } from "../../../support/arena.ts";

const arena = createTestArena();
const writer = new HeadWriter(arena);

test("copyFields() writes every field that is not dropped, one blank after the colon", () => {
  const field = fc.record({
    name: fc.stringMatching(/^x-[a-z]{1,8}$/),
    value: fc.stringMatching(/^[a-z0-9]{0,12}$/),
    before: fc.constantFrom("", " ", "  ", "\t"),
    after: fc.constantFrom("", " ", "\t "),
    isDropped: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
      const lines = fields.map((f) => `${f.name}:${f.before}${f.value}${f.after}\r\n`).join("");
      const text = `GET / HTTP/1.1\r\n${lines}\r\n`;
      arena.buffer.write(text, arena.readStart, "latin1");
      const end = arena.readStart + text.length;
      assert.equal(requestHead.parse(arena.bytes, arena.readStart, end, 100), end);
      for (const [i, { isDropped }] of fields.entries()) headers.isDropped[i] = isDropped ? 1 : 0;
      writer.begin();
      writer.copyFields();
      const kept = fields.filter((f) => !f.isDropped).map((f) => `${f.name}: ${f.value}\r\n`);
      assert.equal(arena.buffer.toString("latin1", writer.start, writer.at), kept.join(""));
    }),
  );
});

test("decimal() writes whole numbers", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      writer.begin();
      writer.decimal(value);
      assert.equal(arena.buffer.toString("latin1", writer.start, writer.at), String(value));
    }),
  );
});

test("what does not fit is left out and said", () => {
  writer.begin();
  assert.equal(writer.hasOverflowed, false);
  while (!writer.hasOverflowed) writer.text("0123456789".repeat(1000));
  assert.ok(writer.at <= arena.scratchEnd);
  writer.begin();
  assert.equal(writer.hasOverflowed, false);
});

test("sendJoined() sends head and body, whole and in order, mostly at once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60_000 }),
      fc.integer({ min: 0, max: 65_536 }),
      fc.integer({ min: 0, max: 60_000 }),
      (headLength, bodyLength, offset) => {
        const start = arena.readStart - offset;
        const head = Buffer.alloc(headLength, "h");
        const body = Buffer.alloc(Math.min(bodyLength, arena.readEnd - start), "b");
        writer.begin();
        writer.put(head);
        arena.bytes.set(body, start);
        const sent: Buffer[] = [];
        const sink: ByteSink = {
          write: (from, to) => sent.push(Buffer.from(arena.bytes.slice(from, to))),
        };
        sendJoined(sink, writer, arena, { start, end: start + body.length });
        assert.equal(Buffer.concat([head, body]).equals(Buffer.concat(sent)), true);
        if (offset + headLength <= arena.headroom) assert.equal(sent.length, 1);
      },
    ),
    { numRuns: 60 },
  );
});
