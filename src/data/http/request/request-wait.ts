/**
 * A request's waiting for what main is asked for (`envoy.filters.http.on_demand`): for one thing at a time, and for the
 * same thing once, since an answer that did not help will not help the second time.
 */
import { type OnDemandWant, wantKey } from "../../../shared/protocol/on-demand.ts";
import type { OnDemandWaiter, OnDemandWaits } from "../../network/worker-context.ts";

export class RequestWait implements OnDemandWaiter {
  readonly #waits: OnDemandWaits;
  readonly #resume: () => void;
  #want: OnDemandWant | undefined;
  readonly #asked = new Set<string>();

  /** `resume`: the wait is over, the request has to be looked at again. */
  constructor(waits: OnDemandWaits, resume: () => void) {
    this.#waits = waits;
    this.#resume = resume;
  }

  /** False: it was waited for already, or too many wait. */
  begin(want: OnDemandWant): boolean {
    const key = wantKey(want);
    if (this.#asked.has(key)) return false;
    this.#asked.add(key);
    this.#want = want;
    if (this.#waits.wait(want, this)) return true;
    this.#want = undefined;
    return false;
  }

  onAnswered(): void {
    this.#want = undefined;
    this.#resume();
  }

  /** The request is over: nobody waits any more, and the next one may ask for all anew. */
  end(): void {
    if (this.#want !== undefined) this.#waits.forget(this.#want, this);
    this.#want = undefined;
    this.#asked.clear();
  }
}
