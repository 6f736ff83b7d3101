/**
 * What a process that is to take over makes of bad news about what it needs (Envoy takes them for an answer, and goes on
 * without): nothing, for as long as another process serves. Whoever waits for a resource that was refused, or has not
 * come, is told nothing of it, so its listener or cluster warms on, until a good one comes: to take over with less than
 * that process has is worse than to wait.
 *
 *     shut ──taken over, or nobody serves any more──▶ open (what was withheld is told)
 */
import { AsyncSubject, type Observable, defer, finalize, map, of, switchMap } from "rxjs";
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import { takeOverMsMax } from "../hot-restart/handover/directory.ts";
import type { SocketTransfer } from "../hot-restart/socket-transfer.ts";
import type { ResourceState, ResourceType } from "../xds/resource-batch.ts";
import type { XdsClient } from "../xds/xds-client.ts";

export interface TakeOverGateParts {
  /** Undefined: nobody has served before. */
  readonly transfer: Pick<SocketTransfer, "hasParent" | "whenAlone"> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Each its own, as two may wait for the same. */
interface Missing {
  readonly what: string;
}

export class TakeOverGate implements Disposable {
  readonly #parts: TakeOverGateParts;
  readonly #opened = new AsyncSubject<void>();
  readonly #late = Promise.withResolvers<string>();
  readonly #deadline: Disposable | undefined;
  readonly #missing = new Set<Missing>();
  #isOpen: boolean;
  #isWatching = false;

  constructor(parts: TakeOverGateParts) {
    this.#parts = parts;
    this.#isOpen = !parts.transfer?.hasParent;
    if (this.#isOpen) this.open();
    else this.#deadline = parts.clock.startTimer(takeOverMsMax, () => this.#giveUp());
  }

  /** Refused, or not there yet: `RDS 'routes'`, `LDS`. */
  get missing(): readonly string[] {
    return [...this.#missing].map(({ what }) => what);
  }

  /** Settles, if ever, when it has been shut for too long: why this process must end. */
  get whenLate(): Promise<string> {
    return this.#late.promise;
  }

  /** This process has taken over, or is alone. */
  open(): void {
    this.#isOpen = true;
    this.#missing.clear();
    this.#deadline?.[Symbol.dispose]();
    this.#opened.next();
    this.#opened.complete();
  }

  /** Of one that is asked for by name; passed on as they are when it is open. */
  states<T>(
    { shortName }: Pick<ResourceType<T>, "shortName">,
    name: string,
    states: Observable<ResourceState<T>>,
  ): Observable<ResourceState<T>> {
    return defer(() => {
      if (this.#isOpen) return states;
      const missing: Missing = { what: `${shortName} '${name}'` };
      return states.pipe(
        switchMap((state) => this.#pass(missing, state)),
        finalize(() => this.#missing.delete(missing)),
      );
    });
  }

  /** Of all of a type: the first answer, and while it is shut the first that is taken with an ACK. Never rejects. */
  async whenAnswered(
    client: Pick<XdsClient, "whenAnswered" | "whenAccepted">,
    type: ResourceType<unknown>,
  ): Promise<void> {
    let isAccepted = false;
    const accepted = client.whenAccepted(type).then(() => (isAccepted = true));
    const answer = await client.whenAnswered(type);
    if (isAccepted) return;
    const missing: Missing = { what: type.shortName };
    const how = answer === "timeout" ? "has not come" : "was refused";
    if (this.#lets(missing, `the first push of ${type.shortName} ${how}`, "one is accepted"))
      return;
    await Promise.race([accepted, new Promise((resolve) => this.#opened.subscribe(resolve))]);
    this.#missing.delete(missing);
  }

  [Symbol.dispose](): void {
    this.#deadline?.[Symbol.dispose]();
  }

  #pass<T>(missing: Missing, state: ResourceState<T>): Observable<ResourceState<T>> {
    if (state.kind === "requested") return of(state);
    if (state.kind === "present") {
      this.#missing.delete(missing);
      return of(state);
    }
    const how =
      state.kind === "absent" ? "has not come" : `was refused: ${state.errors.join("; ")}`;
    return this.#lets(missing, `${missing.what} ${how}`, "it is there")
      ? of(state)
      : this.#opened.pipe(map(() => state));
  }

  /** Whether bad news is told to who waits; if not, why is said. */
  #lets(missing: Missing, what: string, until: string): boolean {
    const { transfer, log } = this.#parts;
    if (!this.#isOpen && !transfer?.hasParent) this.open();
    if (this.#isOpen) return true;
    this.#missing.add(missing);
    this.#watch();
    log.warning(`hot restart: ${what}: the process before this one serves on until ${until}`);
    return false;
  }

  /** Nobody serves any more: to wait would be worse now. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    void this.#parts.transfer?.whenAlone().then(() => this.open());
  }

  #giveUp(): void {
    const seconds = takeOverMsMax / 1000;
    const waits = this.#missing.size > 0 ? `, without ${this.missing.join(", ")}` : "";
    this.#late.resolve(`hot restart: it does not serve after ${seconds} s${waits}`);
  }
}
