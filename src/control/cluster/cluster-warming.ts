/**
 * Who waits for clusters to become warm. Make before break: a route or a listener that serves is not replaced by one
 * that points at a cluster which no worker has yet. Envoy leaves this order to the control plane, and answers 503
 * where it was not kept.
 *
 * The bound is the cluster's own: its `initial_fetch_timeout`, or its DNS timeout, ends its warming. A cluster that
 * is not known at all is not waited for, since nothing says that it will ever come.
 */
export interface ClusterWarming {
  /** Undefined when none of them is warming. Else `onWarm` is called once, when none is any more. */
  waitFor(names: readonly string[], onWarm: () => void): WarmWait | undefined;
}

/** Disposed: `onWarm` is not called any more. */
export interface WarmWait extends Disposable {
  /** What it still waits for. */
  readonly awaiting: readonly string[];
}

interface Waiter {
  /** All of them: one that serves now may be removed, and warm again, while another is waited for. */
  readonly names: readonly string[];
  readonly onWarm: () => void;
}

export class ClusterWaits implements ClusterWarming {
  readonly #isWarming: (name: string) => boolean;
  readonly #waiters = new Set<Waiter>();

  /** `isWarming`: known, and no version of it serves. */
  constructor(isWarming: (name: string) => boolean) {
    this.#isWarming = isWarming;
  }

  waitFor(names: readonly string[], onWarm: () => void): WarmWait | undefined {
    const isWarming = this.#isWarming;
    if (!names.some(isWarming)) return undefined;
    const waiter: Waiter = { names, onWarm };
    this.#waiters.add(waiter);
    return {
      get awaiting() {
        return names.filter(isWarming);
      },
      [Symbol.dispose]: () => void this.#waiters.delete(waiter),
    };
  }

  /** To be called after each change of what is warming. */
  settle(): void {
    for (const waiter of this.#waiters) {
      // An earlier one of this round may have ended the wait of a later one.
      if (waiter.names.some(this.#isWarming) || !this.#waiters.delete(waiter)) continue;
      waiter.onWarm();
    }
  }
}
