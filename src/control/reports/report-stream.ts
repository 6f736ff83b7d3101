/** A stream to a server of reports that opens again by itself, as streams of discovery do (`AdsStream`). */
export interface ReportStream extends Disposable {
  /** Opens it if it never was. */
  start(): void;
  readonly canSend: boolean;
  send(message: Uint8Array): void;
  /** Gives up a stream on which something senseless came; another attempt follows. */
  abandon(reason: string): void;
}
