/** The server side of the codec, as a request sees it: where answers go. */
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { SpelledNames } from "../http1/spelled-names.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";

export interface ResponseSink {
  readonly isHttp2: boolean;
  /** Sends the head that the context's writer holds, and the first part of the body. `names`: as a host spelled them. */
  sendHead(body: BodyPart, isChunked: boolean, names: SpelledNames | undefined): void;
  /** A further part of the body, as it came. */
  sendBody(start: number, end: number, isEnd: boolean): void;
  /** The lines arena[start, end) of the staging window, each `name: value` CRLF: with them the response is over. */
  sendTrailers(start: number, end: number): void;
  /** At any time before the end; a client that takes none gets none. */
  sendMetadata(metadata: Metadata): void;
  /** The head that follows grants what was asked for (`upgrade.ts`): then bytes pass both ways as they are. */
  onTunnel(upgradeType: string): void;
  /** Every byte of the request was received. */
  readonly isRequestComplete: boolean;
  /** Asked once a response, when its head is made: the connection ends after it. */
  decidesToClose(): boolean;
  /** The request was refused: no further one is read. */
  closeAfterResponse(): void;
  /** The response is out; the request is over. */
  onResponseEnd(): void;
  /** The response cannot be finished. `isFramed`: the client will notice from the bytes. */
  onResponseBroken(isFramed: boolean): void;
  setRequestReading(on: boolean): void;
  readonly isOutputFull: boolean;
  atLatest(dueMs: number): void;
  /** What the request waits for was answered: its head is to be parsed anew, then `resume` follows. */
  onWaitEnd(): void;
}
