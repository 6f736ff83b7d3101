// `npm run leaks [-- connections]`: very many connections, half of them broken off at one step of the way in or another,
// and what the proxy holds when they have all gone.
//
// The real program with two workers. Promised: its memory at the end is within 5 percent of that after the first tenth,
// its descriptors are as many as before, and no request fails. Memory is compared when the garbage of both moments has
// been collected as far as it will be: of several looks the least counts.
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
const first = await settledMemory();
console.log(progress(`after the first tenth ${mebibytes(first)} MiB`));
for (let part = 2; part <= 10; part++) {
  await visitUpTo(Math.floor((total * part) / 10));
  console.log(progress(`${mebibytes(memory())} MiB`));
}
const last = await settledMemory();
const fdsAtEnd = await settledDescriptors();
const growth = (last - first) / first;
console.log(`memory: ${mebibytes(first)} MiB, then ${mebibytes(last)} MiB (${percent(growth)})`);
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

async function settled() {
  const isIdle = async (name) =>
    (await proxy.stat(`listener.${name}.downstream_cx_active`)) === 0 &&
    (await proxy.stat(`listener.${name}.downstream_pre_cx_active`)) === 0;
  await until(
    async () => (await isIdle("plain")) && (await isIdle("secured")),
    "all connections have gone",
  );
}

/** The least of some looks over ten seconds. */
async function settledMemory() {
  await settled();
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20; look++) {
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
