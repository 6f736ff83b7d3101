/**
 * What signals mean (Envoy: `InstanceImpl::run`). SIGTERM and SIGINT drain and end it, a second one ends it
 * at once (Envoy ends it at the first). SIGHUP is ignored, as Envoy does.
 */
export interface SignalActions {
  terminate(signal: string): void;
  reopenLogs(): void;
}

export function handleSignals(actions: SignalActions): Disposable {
  const terminate = (signal: NodeJS.Signals): void => actions.terminate(signal);
  const handlers: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ["SIGTERM", terminate],
    ["SIGINT", terminate],
    // Without a listener Node would start its inspector; --disable-sigusr1 would keep the signal from us, too.
    ["SIGUSR1", () => actions.reopenLogs()],
    ["SIGHUP", () => {}],
  ];
  for (const [signal, handler] of handlers) {
    const early = process.listeners(signal);
    // First: without a listener for a moment, Node would forget a signal that the system has delivered already.
    process.on(signal, handler);
    // In place of what ended the process while it loaded.
    for (const listener of early) process.off(signal, listener);
  }
  return {
    [Symbol.dispose]: () => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}
