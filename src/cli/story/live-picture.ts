/** Asks the proxy twice a second what is true and draws it, with the traffic's own counts. */
import type { AdminClient } from "./admin-client.ts";
import { picture } from "./story-view.ts";
import type { StoryScreen } from "./terminal-screen.ts";
import type { Traffic } from "./traffic.ts";

export interface LivePictureOptions {
  readonly screen: StoryScreen;
  readonly admin: AdminClient;
  readonly traffic: Traffic;
}

const everyMs = 500;

export class LivePicture implements Disposable {
  /** What is going on, as the heading says it. */
  step = "starting";
  readonly #options: LivePictureOptions;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  /** Requests made at the last look, by listener. */
  readonly #before = new Map<string, number>();
  #isLooking = false;

  constructor(options: LivePictureOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), everyMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // A slow answer must not be overtaken by the next question.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { admin, screen, traffic } = this.#options;
    const [active, drains] = await Promise.all([
      admin.listeners().catch(() => []),
      admin.drains().catch(() => []),
    ]);
    const lanes = traffic.lanes.map((lane) => {
      const perSecond = ((lane.made - (this.#before.get(lane.name) ?? 0)) * 1000) / everyMs;
      this.#before.set(lane.name, lane.made);
      return { ...lane, perSecond };
    });
    screen.show(
      picture({
        step: this.step,
        elapsedS: (performance.now() - this.#startMs) / 1000,
        active,
        drains,
        lanes,
        nowMs: Date.now(),
        adminAddress: admin.address,
      }),
    );
    this.#isLooking = false;
  }
}
