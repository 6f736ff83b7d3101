/**
 * Signals, kept from the first moment on: one that comes while modules still load would else end the process, or (SIGUSR1)
 * start Node's inspector. As PID 1 a process gets no signal at all that it has no handler for.
 */
const kept = ["SIGHUP", "SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"] as const;
export type KeptSignal = (typeof kept)[number];

export class SignalInbox {
  readonly #early: KeptSignal[] = [];
  #deliver: (signal: KeptSignal) => void = (signal) => {
    // Any number of one kind is one: nothing here grows while nobody reads.
    if (!this.#early.includes(signal)) this.#early.push(signal);
  };

  constructor() {
    for (const signal of kept) process.on(signal, () => this.#deliver(signal));
  }

  deliverTo(receiver: (signal: KeptSignal) => void): void {
    this.#deliver = receiver;
    for (const signal of this.#early.splice(0)) receiver(signal);
  }
}
