/** What may be in a drain, as those see it who order something of the drain: a connection, or one that may become one. */
import type { DrainId } from "../../shared/common/brand.ts";
import type { DrainedProtocol } from "../../shared/drain/drain.ts";
import type { RemainingConnection } from "../../shared/protocol/worker-event.ts";
import type { ActiveDrain } from "./active-drain.ts";

export interface DrainMember {
  readonly startMs: number;
  readonly protocol: DrainedProtocol;
  readonly isToldToDrain: boolean;
  joinDrain(drain: ActiveDrain): void;
  /** The drain of the id that it is in. */
  drainOf(id: DrainId): ActiveDrain | undefined;
  leaveDrain(drain: ActiveDrain): void;
  deadlineMoved(drain: ActiveDrain): void;
  /** As it is at the moment. */
  describe(): RemainingConnection;
  /** Ends it although it may be busy. */
  cut(): void;
}
