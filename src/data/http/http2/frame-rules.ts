/** What is wrong with a frame by itself, whatever the state of its stream (RFC 9113 §6): a pure table of rules. */
import {
  errorCode,
  flag,
  type FrameHeader,
  frameSizeMin,
  frameSizeMost,
  frameType,
} from "./frames.ts";
import { setting, windowMax } from "./frames.ts";

/** The code to end the connection with, or `noError`. */
export function frameProblem(frame: FrameHeader): number {
  const { type, length, streamId } = frame;
  switch (type) {
    case frameType.data:
    case frameType.headers:
    case frameType.continuation:
      return needs(streamId !== 0);
    case frameType.priority:
      return streamId === 0 ? errorCode.protocolError : sized(length === 5);
    case frameType.rstStream:
      return streamId === 0 ? errorCode.protocolError : sized(length === 4);
    case frameType.settings:
      if (streamId !== 0) return errorCode.protocolError;
      return sized(frame.has(flag.ack) ? length === 0 : length % 6 === 0);
    case frameType.pushPromise:
      // A client does not push (§8.4).
      return errorCode.protocolError;
    case frameType.ping:
      return streamId === 0 ? sized(length === 8) : errorCode.protocolError;
    case frameType.goaway:
      return streamId === 0 ? sized(length >= 8) : errorCode.protocolError;
    case frameType.windowUpdate:
      return sized(length === 4);
    default:
      // What is not known is ignored (§5.5).
      return errorCode.noError;
  }
}

/** What is wrong with a setting of the peer's (§6.5.2). */
export function settingProblem(id: number, value: number): number {
  switch (id) {
    case setting.enablePush:
      return needs(value <= 1);
    case setting.initialWindowSize:
      return value <= windowMax ? errorCode.noError : errorCode.flowControlError;
    case setting.maxFrameSize:
      return needs(value >= frameSizeMin && value <= frameSizeMost);
    default:
      return errorCode.noError;
  }
}

function needs(holds: boolean): number {
  return holds ? errorCode.noError : errorCode.protocolError;
}

function sized(fits: boolean): number {
  return fits ? errorCode.noError : errorCode.frameSizeError;
}
