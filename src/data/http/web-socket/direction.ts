/**
 * One direction of a WebSocket: what one end says, on its way to the other, until that one is told to go. Then the
 * frame under way goes through, a Close of ours follows, and nothing else does.
 *
 *   open → leaving → left      leaving: amid a frame, which has to end first
 *
 * What a newcomer would get wrong: what is not passed on any more is still read, for the Close that answers ours.
 */
import type { FrameProgress } from "../../../shared/protocol/moved-connection.ts";
import { WebSocketFrames } from "./frames.ts";

export interface FarEnd {
  /** arena[start, end), as it is; `isEnd`: that was all. */
  pass(start: number, end: number, isEnd: boolean): void;
  sayClose(): void;
}

type State = "open" | "leaving" | "left";

export class WebSocketDirection {
  readonly #farEnd: FarEnd;
  readonly #frames: WebSocketFrames;
  #state: State = "open";
  #hasEnded = false;

  /** `from`: how far another process has read what the near end says. */
  constructor(farEnd: FarEnd, from?: FrameProgress) {
    this.#farEnd = farEnd;
    this.#frames = new WebSocketFrames(from);
  }

  get progress(): FrameProgress {
    return this.#frames.progress;
  }

  /** The far end has heard a Close, ours or that of the near one. */
  get hasLeft(): boolean {
    return this.#state === "left";
  }

  /** The near end has said its Close. */
  get isAnswered(): boolean {
    return this.#frames.hasClose && this.#frames.isAtBoundary;
  }

  take(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    if (this.#state === "open") {
      this.#frames.read(bytes, start, end);
      this.#pass(start, end, isEnd);
      return;
    }
    const at = this.#state === "leaving" ? this.#finishFrame(bytes, start, end) : start;
    this.#frames.read(bytes, at, end);
    if (isEnd) this.#pass(end, end, true);
  }

  /** What has gone on by another way. */
  passed(bytes: Uint8Array, start: number, end: number): void {
    this.#frames.read(bytes, start, end);
  }

  goAway(): void {
    this.#state = "leaving";
    if (this.#frames.isAtBoundary) this.#leave();
  }

  /** Nothing more comes of it for the far end. */
  end(): void {
    if (!this.#hasEnded) this.#pass(0, 0, true);
  }

  #finishFrame(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#frames.readFrame(bytes, start, end);
    if (at > start) this.#pass(start, at, false);
    if (this.#frames.isAtBoundary) this.#leave();
    return at;
  }

  /** Behind a Close of the near end's there is no place for another. */
  #leave(): void {
    this.#state = "left";
    if (!this.#frames.hasClose) this.#farEnd.sayClose();
  }

  #pass(start: number, end: number, isEnd: boolean): void {
    this.#hasEnded ||= isEnd;
    this.#farEnd.pass(start, end, isEnd);
  }
}
