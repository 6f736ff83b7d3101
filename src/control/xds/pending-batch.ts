/**
 * A batch on its way through its observers. It collects what they refuse and waits for what they
 * still do; only then is the response answered.
 */
import type { Clock } from "../../shared/common/clock.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { TimeSlices } from "../../shared/common/time-slices.ts";
import type { NamedResource } from "./comparison.ts";
import type { RejectedResource, Resource, ResourceBatch, ResourceType } from "./resource-batch.ts";

/** A worker that never answers must not hold up the control plane for ever. */
const applyMsMax = 60_000;

export interface DecodedResources<T> {
  readonly changed: readonly Resource<T>[];
  readonly rejected: readonly RejectedResource[];
}

/** Reads every candidate, and every error of every candidate, in what is left of the slice and in more. */
export async function decodeAll<T>(
  type: ResourceType<T>,
  candidates: readonly NamedResource[],
  slices: TimeSlices,
): Promise<DecodedResources<T>> {
  const changed: Resource<T>[] = [];
  const rejected: RejectedResource[] = [];
  for (const { name, ownName, version, bytes: view } of candidates) {
    if (slices.isOver) await slices.next();
    // Kept from here on, so out of the message that it came in.
    const bytes = view.slice();
    const result = type.decode(bytes);
    const naming = ownName === undefined ? { name } : { name, ownName };
    if (result.ok) changed.push({ ...naming, version, bytes, value: result.value });
    else rejected.push({ name, version, bytes, errors: result.errors });
  }
  return { changed, rejected };
}

export class PendingBatch<T> implements ResourceBatch<T> {
  readonly version: string;
  readonly changed: readonly Resource<T>[];
  readonly removed: readonly string[];
  readonly rejected: readonly RejectedResource[];
  readonly #refusals = new Map<string, string[]>();
  readonly #works: Promise<void>[] = [];

  constructor(version: string, decoded: DecodedResources<T>, removed: readonly string[]) {
    this.version = version;
    this.changed = decoded.changed;
    this.rejected = decoded.rejected;
    this.removed = removed;
  }

  refuse(name: string, message: string): void {
    const messages = this.#refusals.get(name);
    if (messages) messages.push(message);
    else this.#refusals.set(name, [message]);
  }

  waitFor(work: Promise<void>): void {
    this.#works.push(work);
  }

  /** What the observers refused, once all of them are done. Work may add work. */
  async settled(clock: Clock): Promise<readonly RejectedResource[]> {
    for (let done = 0; done < this.#works.length;) {
      const works = this.#works.slice(done);
      done = this.#works.length;
      await withinLimit(Promise.all(works), clock, (reason) => this.refuse("", reason));
    }
    // Observers know a resource by what it calls itself.
    const changed = new Map(this.changed.map((each) => [each.ownName ?? each.name, each]));
    return [...this.#refusals].map(([name, errors]) => ({
      name: changed.get(name)?.name ?? name,
      version: changed.get(name)?.version ?? this.version,
      bytes: changed.get(name)?.bytes ?? new Uint8Array(0),
      errors,
    }));
  }
}

async function withinLimit(
  work: Promise<unknown>,
  clock: Clock,
  refuse: (reason: string) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _limit = clock.startTimer(applyMsMax, () => {
    refuse(`not applied within ${applyMsMax / 1000} s`);
    resolve();
  });
  const done = work.then(
    () => {},
    (thrown: unknown) => refuse(messageOf(thrown)),
  );
  await Promise.race([done, promise]);
}
