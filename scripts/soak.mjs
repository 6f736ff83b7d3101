// `npm run soak [-- rounds]`: one listener changes in every way that there is while all of them carry load.
//
// The real program, the real gRPC. Each round is seven pushes, all acknowledged: the same again, a change that means
// nothing, another filter chain, other fields, another address, a removal, and the listener again. Promised: not
// one request on the other listeners fails and none of their connections is closed; on the changing listener no
// request and no transfer is cut that could finish in time. A client that is silent for longer than the idle grace
// may send just when its connection is closed: those are counted, and no breach.
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ProxyProcess } from "../test/support/proxy-process.ts";
import { PushingServer } from "../test/support/pushing-server.ts";
import { SlowTransfers } from "../test/support/slow-transfers.ts";
import { SteadyClients } from "../test/support/steady-clients.ts";
import { TransferUpstream } from "../test/support/transfer-upstream.ts";
import { until } from "../test/support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../test/support/xds-resources.ts";

const rounds = Number(process.argv[2] ?? 50);
const timeMsMax = 30 * 60_000;
if (!(rounds > 0)) {
  console.error("usage: npm run soak [-- rounds]");
  process.exit(2);
}

const still = ["still-1", "still-2", "still-3"];
/** Between pushes: what one of them begins is under way when the next one comes. */
const pauseMs = 200;
const transferMs = 1_000;
/** The idle grace is 5 s. */
const gapsMs = { within: 2_000, beyond: 7_000 };
const deadline = setTimeout(() => {
  console.error(`soak: not done within ${timeMsMax / 60_000} minutes`);
  process.exit(1);
}, timeMsMax);

await using cleanup = new AsyncDisposableStack();
const upstream = cleanup.use(await TransferUpstream.start());
const server = cleanup.use(await PushingServer.start());
const homes = [await freePort(), await freePort()];
let port = homes[0];
const others = still.map((name) => httpListener(name, "web"));
const moving = (bufferLimitBytes) => httpListener("moving", "web", { port, bufferLimitBytes });
server.offer("clusters", [cluster("web")]);
server.offer("endpoints", [endpoints("web", upstream.port)]);
server.offer("routes", [routes("web", "web", "v1")]);
server.offer("listeners", [...others, moving()]);
const flags = ["--drain-time-s", "30", "--drain-strategy", "immediate", "--concurrency", "2"];
const proxy = cleanup.use(await ProxyProcess.start(adsBootstrap("soak", server.address), flags));
const ports = await until(async () => {
  const found = await proxy.listenerPorts();
  return found.size === still.length + 1 && found;
}, "every listener listens");

const where = () => port;
const keepAlive = { keepAlive: true, mayBeRefused: true };
const quiet = still.flatMap((name) => [
  cleanup.use(new SteadyClients(ports.get(name), 4, { keepAlive: true })),
]);
const quietTransfers = ["download", "upload"].map((direction) =>
  cleanup.use(new SlowTransfers(() => ports.get(still[0]), 2, direction, transferMs)),
);
const here = {
  "short connections": new SteadyClients(where, 4, { keepAlive: false }),
  "kept connections": new SteadyClients(where, 4, keepAlive),
  "kept connections, silent for 2 s": new SteadyClients(where, 8, {
    ...keepAlive,
    gapMs: gapsMs.within,
  }),
  "kept connections, silent for 7 s": new SteadyClients(where, 8, {
    ...keepAlive,
    gapMs: gapsMs.beyond,
  }),
  downloads: new SlowTransfers(where, 4, "download", transferMs),
  uploads: new SlowTransfers(where, 4, "upload", transferMs),
};
for (const clients of Object.values(here)) cleanup.use(clients);

const startMs = performance.now();
let pushes = 0;
for (let round = 1; round <= rounds; round++) {
  await push([...others, moving()]);
  await push([...others, sameMeaning(moving(), round)]);
  await push([...others, inPlace(moving(), round)]);
  await push([...others, moving(1_000_000 + round)]);
  port = homes[round % 2];
  await push([...others, moving(1_000_000 + round)]);
  await push(others);
  await push([...others, moving()]);
  if (round % Math.ceil(rounds / 10) === 0) console.log(progress(round));
}

const failedElsewhere = (
  await Promise.all([...quiet, ...quietTransfers].map((clients) => clients.stop()))
).flat();
const failedHere = await Promise.all(
  Object.entries(here).map(async ([name, clients]) => [name, await clients.stop()]),
);
const closed = quiet.reduce((sum, clients) => sum + clients.connections - 4, 0);
clearTimeout(deadline);
console.log(progress(rounds));
console.log(`other listeners: ${failedElsewhere.length} failed, ${closed} connections closed`);
for (const [name, failures] of failedHere) {
  const { completed } = here[name];
  console.log(`${name}: ${failures.length} of ${completed} failed ${countsOf(failures)}`);
}
const broken = failedHere.filter(
  ([name, failures]) => !name.includes("7 s") && failures.length > 0,
);
const isGood = failedElsewhere.length === 0 && closed === 0 && broken.length === 0;
console.log(isGood ? "soak: as promised" : "soak: BROKEN");
process.exitCode = isGood ? 0 : 1;

async function push(listeners) {
  await server.accepted("listeners", listeners);
  pushes++;
  await pause(pauseMs);
}

function progress(round) {
  const clients = [...quiet, ...quietTransfers, ...Object.values(here)];
  const count = clients.reduce((sum, each) => sum + each.completed, 0);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  return `${seconds} s: ${round} rounds, ${pushes} pushes, ${count} requests`;
}

function countsOf(failures) {
  const counts = Map.groupBy(failures, (failure) => failure);
  return [...counts].map(([failure, all]) => `${failure} ${all.length}`).join(", ");
}

/** Metadata that nobody looks at. */
function sameMeaning(listener, round) {
  return { ...listener, metadata: { filterMetadata: { soak: { round } } } };
}

/** Another name for the chain: other filter chains, and nothing else. */
function inPlace(listener, round) {
  const [chain] = listener.filterChains;
  return { ...listener, filterChains: [{ ...chain, name: `chain-${round}` }] };
}

async function freePort() {
  const listening = createServer();
  await new Promise((resolve) => {
    listening.listen(0, "127.0.0.1", resolve);
  });
  const { port: free } = listening.address();
  await new Promise((resolve) => {
    listening.close(resolve);
  });
  return free;
}
