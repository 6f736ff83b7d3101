/**
 * What signals mean (Envoy: `InstanceImpl::run`). SIGTERM and SIGINT end the process in order; a second one
 * does not hurry it, since ending is bounded in time anyway. SIGHUP is ignored, as Envoy does.
 */
export interface SignalActions {
  end(signal: string): void;
  reopenLogs(): void;
}

export function handleSignals(actions: SignalActions): Disposable {
  const end = (signal: NodeJS.Signals): void => actions.end(signal);
  const handlers: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ["SIGTERM", end],
    ["SIGINT", end],
    // Without a listener Node would start its inspector; --disable-sigusr1 would keep the signal from us, too.
    ["SIGUSR1", () => actions.reopenLogs()],
    ["SIGHUP", () => {}],
  ];
  for (const [signal, handler] of handlers) {
    // In place of what ended the process while it loaded.
    process.removeAllListeners(signal);
    process.on(signal, handler);
  }
  return {
    [Symbol.dispose]: () => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}
