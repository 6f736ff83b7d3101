import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeProtocols, selectProtocol } from "../../../../src/shared/io/tls/alpn.ts";

const name = fc.string({ minLength: 1, maxLength: 255, unit: "binary-ascii" });
const read = (offered: Buffer, place: ReturnType<typeof selectProtocol>): string | undefined =>
  place && offered.toString("latin1", place.start, place.start + place.length);

test("the first of ours that is offered is chosen, wherever it stands", () => {
  fc.assert(
    fc.property(fc.array(name), fc.array(name), (ours, theirs) => {
      const offered = encodeProtocols(theirs);
      const wanted = ours.find((one) => theirs.includes(one));
      assert.equal(read(offered, selectProtocol(ours, offered)), wanted);
    }),
  );
});

test("whatever is offered, what is chosen lies within it", () => {
  fc.assert(
    fc.property(fc.array(name), fc.uint8Array({ maxLength: 300 }), (ours, bytes) => {
      const offered = Buffer.from(bytes);
      const place = selectProtocol(ours, offered);
      if (!place) return;
      assert(place.start >= 1 && place.start + place.length <= offered.length);
      assert(ours.includes(read(offered, place) ?? ""));
    }),
  );
});

test("a name that the wire cannot carry is refused", () => {
  for (const wrong of ["", "x".repeat(256)])
    assert.throws(() => encodeProtocols([wrong]), { name: "TlsError", message: /1 to 255 bytes/ });
});
