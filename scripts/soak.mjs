// `npm run soak [-- rounds]`: one listener is updated, removed and added again while others carry load.
//
// The real program, the real gRPC. Each round is an update in place, a full update, a removal and a
// re-add, all acknowledged. Promised: not one request on the other listeners fails and none of their
// connections is closed; on the changing listener no request is cut that could finish in time.
import { createServer } from "node:net";
import { HttpUpstream } from "../test/support/http-upstream.ts";
import { ProxyProcess } from "../test/support/proxy-process.ts";
import { PushingServer } from "../test/support/pushing-server.ts";
import { SteadyClients } from "../test/support/steady-clients.ts";
import { until } from "../test/support/until.ts";
import {
  adsBootstrap,
  cluster,
  endpoints,
  httpListener,
  routes,
} from "../test/support/xds-resources.ts";

const rounds = Number(process.argv[2] ?? 100);
const timeMsMax = 15 * 60_000;
if (!(rounds > 0)) {
  console.error("usage: npm run soak [-- rounds]");
  process.exit(2);
}

const still = ["still-1", "still-2", "still-3"];
const deadline = setTimeout(() => {
  console.error(`soak: not done within ${timeMsMax / 60_000} minutes`);
  process.exit(1);
}, timeMsMax);

await using cleanup = new AsyncDisposableStack();
const upstream = cleanup.use(await HttpUpstream.start("up"));
const server = cleanup.use(await PushingServer.start());
const port = await freePort();
const others = still.map((name) => httpListener(name, "web"));
const moving = (bufferLimitBytes) => httpListener("moving", "web", { port, bufferLimitBytes });
server.offer("clusters", [cluster("web")]);
server.offer("endpoints", [endpoints("web", upstream.port)]);
server.offer("routes", [routes("web", "web", "v1")]);
server.offer("listeners", [...others, moving()]);
const flags = ["--drain-time-s", "60", "--concurrency", "2"];
const proxy = cleanup.use(await ProxyProcess.start(adsBootstrap("soak", server.address), flags));
const ports = await until(async () => {
  const found = await proxy.listenerPorts();
  return found.size === still.length + 1 && found;
}, "every listener listens");

const quiet = still.map((name) =>
  cleanup.use(new SteadyClients(ports.get(name), 4, { keepAlive: true })),
);
const here = [cleanup.use(new SteadyClients(port, 4, { keepAlive: false }))];
const startMs = performance.now();
for (let round = 1; round <= rounds; round++) {
  await server.accepted("listeners", [...others, inPlace(moving(), round)]);
  await server.accepted("listeners", [...others, moving(1_000_000 + round)]);
  await server.accepted("listeners", others);
  await server.accepted("listeners", [...others, moving()]);
  if (round % Math.ceil(rounds / 10) === 0) console.log(progress(round));
}

const failedElsewhere = (await Promise.all(quiet.map((clients) => clients.stop()))).flat();
const failedHere = (await Promise.all(here.map((clients) => clients.stop()))).flat();
const closed = quiet.reduce((sum, clients) => sum + clients.connections - 4, 0);
clearTimeout(deadline);
console.log(progress(rounds));
console.log(`other listeners: ${failedElsewhere.length} failed, ${closed} connections closed`);
console.log(
  `the changing listener: ${failedHere.length} failed ${[...new Set(failedHere)].join()}`,
);
const isGood = failedElsewhere.length === 0 && closed === 0 && failedHere.length === 0;
console.log(isGood ? "soak: as promised" : "soak: BROKEN");
process.exitCode = isGood ? 0 : 1;

function progress(round) {
  const count = [...quiet, ...here].reduce((sum, clients) => sum + clients.completed, 0);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  return `${seconds} s: ${round} rounds, ${4 * round} pushes, ${count} requests`;
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
