// `npm run leaks [-- connections]`: very many connections, half of them broken off at one step of the way in or another,
// and what the proxy holds when they have all gone.
//
// The real program with two workers. Promised: after the first tenth its memory stays within 5 percent, and is not more
// when all have gone; its descriptors are as many as before; no request fails. Memory is compared at work, where it is the
// median of many looks: after a rest V8 gives some back, which the next thousand connections take again.
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { TestAuthority } from "../test/support/certificates.ts";
import { leakBootstrap } from "../test/support/leak-bootstrap.ts";
import { ProxyProcess } from "../test/support/proxy-process.ts";
import { until } from "../test/support/until.ts";
import { visitKinds, Visitor } from "../test/support/visits.ts";

const total = Number(process.argv[2] ?? 1_000_000);
const atOnce = Number(process.argv[3] ?? 32);
if (!(total >= 1_000 && atOnce >= 1)) {
  console.error("usage: npm run leaks [-- connections (1000 or more) [how many at once]]");
  process.exit(2);
}
const growthMax = 0.05;

/** Half of the visits end well: in plain text, by a whole handshake, by a resumed one. */
const good = ["plainRequest", "tlsRequest", "resumedRequest"];
const broken = visitKinds.filter((kind) => !good.includes(kind));
const kindOf = (n) =>
  n % 2 === 0 ? good[(n / 2) % good.length] : broken[((n - 1) / 2) % broken.length];

await using cleanup = new AsyncDisposableStack();
const authority = cleanup.use(new TestAuthority());
const own = authority.issue(["DNS:a.test"]);
const proxy = cleanup.use(await ProxyProcess.start(leakBootstrap(own), ["--concurrency", "2"]));
const { pid } = proxy;
const ports = await proxy.listenerPorts();
const visitor = await Visitor.create({ plain: ports.get("plain"), secured: ports.get("secured") });

for (const kind of visitKinds) await visitor.visit(kind);
const fdsAtStart = await settledDescriptors();
const startMs = performance.now();
const failures = new Map();
let next = 0;
await visitUpTo(Math.floor(total / 10));
console.log(progress(`${mebibytes(memory())} MiB`));
let first = 0;
let last = 0;
for (let part = 2; part <= 10; part++) {
  last = await memoryDuring(visitUpTo(Math.floor((total * part) / 10)));
  if (part === 2) first = last;
  console.log(progress(`${mebibytes(last)} MiB`));
}
const atRest = await settledMemory();
const fdsAtEnd = await settledDescriptors();
const growth = (Math.max(last, atRest) - first) / first;
const figures = [first, last, atRest].map(mebibytes);
console.log(`memory in the second tenth, in the last one, and at rest: ${figures.join(", ")} MiB`);
console.log(`grown by ${percent(growth)}`);
console.log(`descriptors: ${fdsAtStart} at the start, ${fdsAtEnd} at the end`);
for (const [failure, count] of failures) console.log(`failed ${count} times: ${failure}`);
const isGood = growth <= growthMax && fdsAtEnd <= fdsAtStart && failures.size === 0;
console.log(isGood ? "leaks: none" : "leaks: FOUND");
process.exitCode = isGood ? 0 : 1;

async function visitUpTo(end) {
  const visitAll = async () => {
    while (next < end) {
      const kind = kindOf(next++);
      await visitor.visit(kind).catch((error) => {
        failures.set(error.message, (failures.get(error.message) ?? 0) + 1);
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, visitAll));
}

/** The median. */
async function memoryDuring(work) {
  const looks = [];
  let isDone = false;
  const done = work.finally(() => (isDone = true));
  while (!isDone) {
    looks.push(memory());
    await Promise.race([pause(250), done]);
  }
  await done;
  return looks.sort((a, b) => a - b)[Math.floor(looks.length / 2)];
}

async function settled() {
  const isIdle = async (name) =>
    (await proxy.stat(`listener.${name}.downstream_cx_active`)) === 0 &&
    (await proxy.stat(`listener.${name}.downstream_pre_cx_active`)) === 0;
  await until(
    async () => (await isIdle("plain")) && (await isIdle("secured")),
    "all connections have gone",
  );
}

/** The least of some looks over fifteen seconds: garbage is collected every ten. */
async function settledMemory() {
  await settled();
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 30; look++) {
    await pause(500);
    least = Math.min(least, memory());
  }
  return least;
}

async function settledDescriptors() {
  await settled();
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 10; look++) {
    await pause(100);
    least = Math.min(least, readdirSync(`/proc/${pid}/fd`).length);
  }
  return least;
}

/** Bytes that are resident. */
function memory() {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

function progress(what) {
  const seconds = (performance.now() - startMs) / 1000;
  return `${seconds.toFixed(0)} s: ${next} connections, ${(next / seconds).toFixed(0)} a second, ${what}`;
}

function mebibytes(bytes) {
  return (bytes / 2 ** 20).toFixed(1);
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
