import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ClientStreamOwner,
  Http2ClientStream,
} from "../../../../src/data/http/upstream/http2-client-stream.ts";
import type { UpstreamRequest } from "../../../../src/data/http/upstream/upstream-request.ts";

function streamOf(released: number[]): Http2ClientStream {
  const owner: Partial<ClientStreamOwner> = {
    streamWindowBytes: 65_535,
    peerWindowBytes: 65_535,
    release: (_, bytes) => void released.push(bytes),
    onReadingChanged: () => {},
  };
  const request: Partial<UpstreamRequest> = {};
  return new Http2ClientStream(owner as ClientStreamOwner, 1, request as UpstreamRequest);
}

test("a stream that is not read keeps its room until it is", () => {
  const released: number[] = [];
  const stream = streamOf(released);
  stream.consumed(10);
  stream.setReading(false);
  stream.consumed(20);
  stream.consumed(30);
  assert.deepEqual(released, [10]);
  stream.setReading(true);
  assert.deepEqual(released, [10, 50]);
});

test("one that ended unread gives back what came last", () => {
  const released: number[] = [];
  const stream = streamOf(released);
  stream.setReading(false);
  stream.request = undefined;
  stream.consumed(20);
  assert.deepEqual(released, [20]);
});
