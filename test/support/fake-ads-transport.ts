import assert from "node:assert/strict";
import type {
  AdsCall,
  AdsCallHandlers,
  AdsTransport,
} from "../../src/control/xds/ads-transport.ts";
import {
  type ReadRequest,
  readDiscoveryRequest,
  writeDiscoveryResponse,
} from "../../src/xds-server/discovery-wire.ts";
import {
  type ReadDeltaRequest,
  readDeltaRequest,
  writeDeltaResponse,
} from "../../src/xds-server/delta-wire.ts";

/** A wire whose far end is the test: it reads requests and writes responses by hand. */
export class FakeAdsTransport implements AdsTransport {
  readonly server = "xds_cluster fake";
  readonly calls: FakeAdsCall[] = [];
  isDisposed = false;

  open(handlers: AdsCallHandlers): AdsCall {
    const call = new FakeAdsCall(handlers);
    this.calls.push(call);
    return call;
  }

  get last(): FakeAdsCall {
    const call = this.calls.at(-1);
    assert(call, "no stream was opened");
    return call;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

export class FakeAdsCall implements AdsCall {
  readonly handlers: AdsCallHandlers;
  readonly #requests: Uint8Array[] = [];
  canSend = true;
  isCancelled = false;

  constructor(handlers: AdsCallHandlers) {
    this.handlers = handlers;
  }

  send(message: Uint8Array): void {
    assert(this.canSend, "sent without being asked to");
    this.#requests.push(message);
  }

  cancel(): void {
    this.isCancelled = true;
  }

  /** The requests since the last call. */
  takenBytes(): readonly Uint8Array[] {
    return this.#requests.splice(0);
  }

  /** The same, read. */
  taken(): readonly ReadRequest[] {
    return this.takenBytes().map(readDiscoveryRequest);
  }

  /** The same of a stream that speaks delta. */
  takenDelta(): readonly ReadDeltaRequest[] {
    return this.takenBytes().map(readDeltaRequest);
  }

  /** Settles when the client would read the next message. */
  respond(response: Parameters<typeof writeDiscoveryResponse>[0]): Promise<void> {
    return this.handlers.received(writeDiscoveryResponse(response));
  }

  respondDelta(response: Parameters<typeof writeDeltaResponse>[0]): Promise<void> {
    return this.handlers.received(writeDeltaResponse(response));
  }
}
