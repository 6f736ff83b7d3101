import { test } from "node:test";
import { cpuBudget } from "../support/cpu-budget.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { XdsWorld } from "./xds-world.ts";

/** CPU time for the suite; `SLUICE_SEED=N` replays one run instead, `SLUICE_SIMULATION_MS` takes more. */
const budgetMs = Number(process.env["SLUICE_SIMULATION_MS"] ?? 3_000);
const stepsPerSeed = 50;

/**
 * 1. A name is warming once and active once at most. 2. Nothing that serves is replaced by what points at a cluster that
 * warms. 3. Each response is answered once, by its own nonce, on its own stream, before the next is read. 4. An ACK is
 * said of what has been applied. 5. At rest server, managers and workers agree, and at the end nobody holds anything.
 */
test("a proxy survives any control plane", async (t) => {
  const replay = process.env["SLUICE_SEED"];
  if (replay !== undefined) return run(Number(replay));
  const first = Math.floor(Math.random() * 2 ** 31);
  const isLeft = cpuBudget(budgetMs);
  let seed = first;
  for (; isLeft(); seed++) await run(seed);
  t.diagnostic(`${seed - first} seeds from ${first}`);
});

async function run(seed: number): Promise<void> {
  try {
    const world = await XdsWorld.create(seededRandom(seed));
    for (let i = 0; i < stepsPerSeed; i++) await world.step();
    await world.rest();
    await world.end();
  } catch (error) {
    throw new Error(`replay with SLUICE_SEED=${seed}`, { cause: error });
  }
}
