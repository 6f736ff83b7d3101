import assert from "node:assert/strict";
import type { CheckOutcome } from "../../src/control/cluster/health-check/check-state.ts";
import type { CreateProber } from "../../src/control/cluster/health-check/health-checked-hosts.ts";
import type { ProbeTarget } from "../../src/control/cluster/health-check/prober.ts";
import { formatAddress } from "../../src/shared/common/address.ts";

export const passed: CheckOutcome = { kind: "success", isDegraded: false };
export const refused: CheckOutcome = { kind: "failure", cause: "answer", reason: "status 503" };
export const unreachable: CheckOutcome = {
  kind: "failure",
  cause: "network",
  reason: "ECONNREFUSED",
};

/** Checks that end when the test says so. */
export class FakeProbers {
  readonly targets = new Map<string, ProbeTarget>();
  /** Under way, by address. */
  readonly #checks = new Map<string, (outcome: CheckOutcome) => void>();

  readonly create: CreateProber = (_check, target) => {
    const key = formatAddress(target.address);
    assert(!this.targets.has(key), `${key} has a prober already`);
    this.targets.set(key, target);
    return {
      probe: (onOutcome) => {
        assert(!this.#checks.has(key), `${key} is being checked already`);
        this.#checks.set(key, onOutcome);
        return { [Symbol.dispose]: () => void this.#checks.delete(key) };
      },
      [Symbol.dispose]: () => void this.targets.delete(key),
    };
  };

  /** Addresses whose check is under way. */
  get checking(): readonly string[] {
    return [...this.#checks.keys()];
  }

  answer(address: string, outcome: CheckOutcome = passed): void {
    const onOutcome = this.#checks.get(address);
    assert(onOutcome, `${address} is not being checked`);
    onOutcome(outcome);
  }
}
