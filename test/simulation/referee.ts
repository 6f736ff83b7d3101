import assert from "node:assert/strict";
import type { ModelRequest, ModelResponse, ModelSession } from "./model-server.ts";
import type { FarEnd } from "./simulated-wire.ts";

/** What the client has accepted so far, over all streams. */
export class AcceptedVersions {
  readonly #byType = new Map<string, ReadonlySet<string>>();

  /** More than one where a stream broke before the client could say how it had decided. */
  of(typeUrl: string): ReadonlySet<string> {
    return this.#byType.get(typeUrl) ?? new Set([""]);
  }

  is(typeUrl: string, version: string): void {
    this.#byType.set(typeUrl, new Set([version]));
  }

  mayBe(typeUrl: string, version: string): void {
    this.#byType.set(typeUrl, new Set([...this.of(typeUrl), version]));
  }
}

export interface RefereeContext {
  readonly session: ModelSession;
  readonly isDelta: boolean;
  readonly accepted: AcceptedVersions;
  readonly send: (response: ModelResponse) => void;
  /** A response was accepted or refused: what must hold of the managers now? */
  readonly answered: (response: ModelResponse, error: string | undefined) => void;
  /** The first request of a type on this stream says what is held. */
  readonly held: (typeUrl: string, versions: ReadonlyMap<string, string>) => void;
  /** A rule was broken; told, not thrown, since a throw would end in the client. */
  readonly violated: (error: unknown) => void;
}

interface TypeState {
  hasAsked: boolean;
  /** Of the last response that was answered. */
  nonce: string;
}

/**
 * Holds the client to the protocol on one stream: each response is answered once, by its own nonce, before the next one is
 * read; nothing is said while one is being applied; versions are those that were accepted.
 */
export class Referee implements FarEnd {
  readonly #context: RefereeContext;
  readonly #sent = new Map<Uint8Array, ModelResponse>();
  readonly #types = new Map<string, TypeState>();
  /** Read by the client and not answered yet. */
  #inHand: ModelResponse | undefined;
  /** Of each type, to be sent again. */
  readonly history: ModelResponse[] = [];

  constructor(context: RefereeContext) {
    this.#context = context;
  }

  get session(): ModelSession {
    return this.#context.session;
  }

  /** `message` is on its way. */
  onSent(message: Uint8Array, response: ModelResponse): void {
    this.#sent.set(message, response);
    this.history.push(response);
    this.session.onSent(response);
  }

  arrived(message: Uint8Array): void {
    const response = this.session.onRequest(this.session.read(message));
    if (response) this.#context.send(response);
  }

  delivered(message: Uint8Array): void {
    this.#judge(() =>
      assert.equal(this.#inHand, undefined, "a response is read before the last one is answered"),
    );
    const response = this.#sent.get(message);
    if (response && this.#types.get(response.typeUrl)?.hasAsked) this.#inHand = response;
  }

  settled(): void {
    this.#judge(() => assert.equal(this.#inHand, undefined, "a response was not answered"));
  }

  said(message: Uint8Array): void {
    this.#judge(() => this.#judgeRequest(message));
  }

  closed(): void {
    const { accepted } = this.#context;
    if (this.#inHand) accepted.mayBe(this.#inHand.typeUrl, this.#inHand.version);
    this.#inHand = undefined;
  }

  #judge(rules: () => void): void {
    try {
      rules();
    } catch (error) {
      this.#context.violated(error);
    }
  }

  #judgeRequest(message: Uint8Array): void {
    const request = this.session.read(message);
    const { typeUrl, nonce, error } = request;
    const type = this.#types.get(typeUrl) ?? { hasAsked: false, nonce: "" };
    this.#types.set(typeUrl, type);
    const answered = this.#inHand?.typeUrl === typeUrl ? this.#inHand : undefined;
    if (answered) this.#judgeAnswer(request, answered);
    else assert.equal(error, undefined, "an error that refuses no response");
    if (answered) type.nonce = answered.nonce;
    else assert.equal(nonce, this.#context.isDelta ? "" : type.nonce, "an old nonce");
    this.#judgeVersions(request, type, answered);
    type.hasAsked = true;
  }

  #judgeAnswer({ nonce, error }: ModelRequest, answered: ModelResponse): void {
    assert.equal(nonce, answered.nonce, "answered with another nonce");
    this.#inHand = undefined;
    this.#context.answered(answered, error);
  }

  #judgeVersions(
    { typeUrl, error, version, initialVersions }: ModelRequest,
    type: TypeState,
    answered: ModelResponse | undefined,
  ): void {
    const { accepted, isDelta, held } = this.#context;
    if (isDelta) {
      if (type.hasAsked) assert.equal(initialVersions.size, 0, "versions are said once a stream");
      else held(typeUrl, initialVersions);
      return;
    }
    if (answered && error === undefined) accepted.is(typeUrl, answered.version);
    assert(accepted.of(typeUrl).has(version), `version ${version} was not accepted`);
    accepted.is(typeUrl, version);
  }
}
