/**
 * What happens in the story, in order. Each step changes resources as a person would, by files, and is
 * over when the traffic itself has shown the effect.
 */
import type { AdminClient } from "./admin-client.ts";
import type { PushOutcome } from "./control-plane.ts";
import { downloadBytes } from "./upstream.ts";
import { delay, type Traffic } from "./traffic.ts";

/** What a step may use. */
export interface StoryStage {
  readonly traffic: Traffic;
  readonly admin: AdminClient;
  readonly ports: Readonly<Record<string, number>>;
  readonly drainTimeS: number;
  readonly say: (line: string) => void;
  /** Lays a folder of `examples/story/steps` over the resources and pushes; all laid so far stay. */
  readonly lay: (step: string) => Promise<PushOutcome>;
  /** Takes all of them away again. */
  readonly restore: () => Promise<PushOutcome>;
}

export interface StoryStep {
  readonly title: string;
  run(stage: StoryStage): Promise<void>;
}

export const storySteps: readonly StoryStep[] = [
  {
    title: "requests flow to listener shop, which routes to cluster blue",
    async run({ traffic, ports }) {
      traffic.start("shop", portOf(ports, "shop"));
      traffic.start("downloads", portOf(ports, "downloads"));
      await traffic.sees("shop", ({ body }) => body === "blue", "a response of blue");
      await traffic.sees("downloads", ({ body }) => body === "blue", "a response by downloads");
    },
  },
  {
    title: "1. add a listener: news",
    async run({ traffic, ports, lay, admin }) {
      accepted(await lay("1-add-a-listener"));
      await isActive(admin, "news");
      traffic.start("news", portOf(ports, "news"));
      await traffic.sees("news", ({ server }) => server === "news", "a response by news");
    },
  },
  {
    title: "2. change a route: shop now goes to green; no listener is touched",
    async run({ traffic, lay }) {
      accepted(await lay("2-change-a-route"));
      await traffic.sees("shop", ({ body }) => body === "green", "a response of green");
    },
  },
  {
    title:
      "3. change a filter chain of shop: its old connections drain, new ones get the new chain",
    async run({ traffic, lay }) {
      accepted(await lay("3-change-a-filter-chain"));
      await traffic.sees(
        "shop",
        ({ server }) => server === "shop-2",
        "a response of the new chain",
      );
    },
  },
  {
    title: "4. move an upstream: green gets another address",
    async run({ traffic, lay }) {
      accepted(await lay("4-move-an-upstream"));
      await traffic.sees("shop", ({ body }) => body === "moved", "a response from the new address");
    },
  },
  {
    title: "5. remove a listener: downloads, with requests and a long download in flight",
    run: removeWhileInFlight,
  },
  {
    title: "6. push a bad listener: it is refused, and all goes on",
    async run({ lay, say, traffic }) {
      const outcome = await lay("6-push-a-bad-one");
      if (outcome.kind === "accepted") throw new Error("the bad push was accepted");
      say(`   NACK: ${outcome.reason}`);
      await traffic.sees("shop", ({ body }) => body === "moved", "a response after the bad push");
    },
  },
  {
    title: "7. put everything back as it is in the files",
    async run({ restore, traffic, ports, admin }) {
      traffic.stop("news");
      await traffic.idle("news");
      accepted(await restore());
      await isActive(admin, "downloads");
      traffic.start("downloads", portOf(ports, "downloads"));
      await traffic.sees("shop", ({ body }) => body === "blue", "a response of blue again");
      await traffic.sees("downloads", ({ body }) => body === "blue", "downloads again");
    },
  },
];

/** Whoever is inside may finish; nobody new comes in. */
async function removeWhileInFlight(stage: StoryStage): Promise<void> {
  const { traffic, lay, say } = stage;
  const download = traffic.once("downloads", "/download");
  const slow = Promise.all([1, 2, 3].map(() => traffic.once("downloads", "/slow")));
  // Well inside all of them, and no new request may meet the closed port.
  await delay(500);
  traffic.stop("downloads");
  accepted(await lay("5-remove-a-listener"));
  say("   the listener is gone; its requests are not");
  const answers = await slow;
  say(`   ${answers.filter(Boolean).length} of 3 slow requests finished`);
  const whole = (await download)?.body.length;
  if (whole !== downloadBytes) throw new Error(`the download came with ${whole} bytes`);
  say(`   the download finished: ${(whole / 2 ** 20).toFixed(1)} MiB`);
  await drainsEnded(stage);
}

/** A drain ends when its last connection has gone, at its deadline at the latest. */
async function drainsEnded({ admin, drainTimeS, say }: StoryStage): Promise<void> {
  for (let waitedMs = 0; waitedMs < (drainTimeS + 5) * 1000; waitedMs += 100) {
    const drains = (await admin.drains()).filter(({ listener }) => listener === "downloads");
    const last = drains.at(0);
    if (!last) return;
    if (drains.every(({ state }) => state !== "draining")) {
      say(
        `   its drain ended: ${last.state}, ${last.connections.at_start} connections at the start`,
      );
      return;
    }
    await delay(100);
  }
  throw new Error("the drain of downloads did not end in its time");
}

async function isActive(admin: AdminClient, name: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 20) {
    if ((await admin.listeners()).includes(name)) return;
    await delay(20);
  }
  throw new Error(`listener ${name} did not become active`);
}

function accepted(outcome: PushOutcome): void {
  if (outcome.kind === "refused") throw new Error(`the push was refused: ${outcome.reason}`);
}

export function portOf(ports: Readonly<Record<string, number>>, listener: string): number {
  const port = ports[`${listener}_port`];
  if (port === undefined) throw new Error(`no port for ${listener}`);
  return port;
}
