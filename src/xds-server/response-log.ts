/**
 * The responses of one type on one stream, and what the client said to them.
 *
 * What one would get wrong: the client answers each response, but may do so late, when newer ones are under way.
 * Only an answer to the last is the verdict (xDS protocol, "ACK/NACK and resource type instance version"); one to
 * an older response is told, and settles what came before it.
 */
import type { Answer, Verdict } from "./verdict.ts";

/** Unanswered responses of one type, after which the next one waits: a client that does not read costs no more. */
const unansweredMax = 16;

export class ResponseLog {
  verdict: Verdict = { kind: "unsent" };
  /** Kept when newer answers come, to be shown. */
  acked: Extract<Answer, { kind: "acked" }> | undefined;
  nacked: Extract<Answer, { kind: "nacked" }> | undefined;
  #lastNonce = "";
  /** Nonce to version, the oldest first. */
  readonly #unanswered = new Map<string, string>();
  sentCount = 0;

  /** Of the response sent last; empty before the first. */
  get lastNonce(): string {
    return this.#lastNonce;
  }

  get isFull(): boolean {
    return this.#unanswered.size >= unansweredMax;
  }

  get isWaiting(): boolean {
    return this.#unanswered.size > 0;
  }

  sent(nonce: string, version: string): void {
    this.sentCount++;
    this.#lastNonce = nonce;
    this.#unanswered.set(nonce, version);
    this.verdict = { kind: "waiting" };
  }

  /** `undefined` for a nonce that awaits no answer: a subscription changes, or an old request comes late. */
  answer(nonce: string, error: string | undefined): Answer | undefined {
    const version = this.#unanswered.get(nonce);
    if (version === undefined) return undefined;
    for (const older of this.#unanswered.keys()) {
      this.#unanswered.delete(older);
      if (older === nonce) break;
    }
    const answer: Answer =
      error === undefined ? { kind: "acked", version } : { kind: "nacked", version, error };
    if (answer.kind === "acked") this.acked = answer;
    else this.nacked = answer;
    if (nonce === this.#lastNonce) this.verdict = answer;
    return answer;
  }
}
