/** Frames by name, for hosts and clients that say what they like. */
import { flag, frameType } from "../../src/data/http/http2/frames.ts";
import { block, type Fields, frame, whole } from "./raw-http2.ts";

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

/** A head of these fields, in CONTINUATIONs where it is larger than a frame. */
export function headFrames(id: number, fields: Fields, isEnd: boolean): Buffer {
  const bytes = block(fields);
  const most = 16_384;
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += most) {
    const isFirst = at === 0;
    const type = isFirst ? frameType.headers : frameType.continuation;
    const ends = isFirst && isEnd ? flag.endStream : 0;
    const endsHead = at + most >= bytes.length ? flag.endHeaders : 0;
    frames.push(frame(type, ends | endsHead, id, bytes.subarray(at, at + most)));
  }
  return Buffer.concat(frames);
}

/** A response's head that its body follows. */
export const answers = (id: number, status = "200", fields: Fields = []): Buffer =>
  headFrames(id, [[":status", status], ...fields], false);

/** A response without a body. */
export const answersWhole = (id: number, status = "200", fields: Fields = []): Buffer =>
  headFrames(id, [[":status", status], ...fields], true);

export const trailers = (id: number, fields: Fields, flags = whole): Buffer =>
  frame(frameType.headers, flags, id, block(fields));

export const data = (id: number, text: string): Buffer => frame(frameType.data, 0, id, text);

export const lastData = (id: number, text: string): Buffer =>
  frame(frameType.data, flag.endStream, id, text);

export const resets = (id: number, code: number): Buffer =>
  frame(frameType.rstStream, 0, id, words(code));

export const goaway = (lastId: number, code: number): Buffer =>
  frame(frameType.goaway, 0, 0, words(lastId, code));

export const windowUpdate = (id: number, increment: number): Buffer =>
  frame(frameType.windowUpdate, 0, id, words(increment));

export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer =>
  frame(
    frameType.settings,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), words(value)]))),
  );
