/**
 * What the client needs of a transport: one two-way stream of messages at a time. The real one is
 * gRPC; tests answer by hand.
 */
export interface AdsTransport extends Disposable {
  /** For logs and status: `xds_cluster 127.0.0.1:18000`. */
  readonly server: string;
  /**
   * Opens a stream. Messages may be sent at once and wait for the connection. The handlers are
   * called later, never from inside this call.
   */
  open(handlers: AdsCallHandlers): AdsCall;
}

export interface AdsCallHandlers {
  /** The connection to the server stands. */
  connected(): void;
  /** The next message is not read before the promise settles: that is the flow control. */
  received(message: Uint8Array): Promise<void>;
  /** What was sent has left: see `AdsCall.canSend`. */
  writable(): void;
  /** The stream is over, for whatever reason; called once, and nothing after it. */
  ended(reason: string): void;
}

export interface AdsCall {
  send(message: Uint8Array): void;
  /** False while earlier messages still wait for the peer to read them. */
  readonly canSend: boolean;
  /** Ends the stream; `ended` is not called any more. */
  cancel(): void;
}
