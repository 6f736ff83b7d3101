// `npm run leaks [-- connections]`: a million connections, half of them broken off at every step of the way in.
//
// The real program. Plain and TLS, behind PROXY protocol and the inspectors; whole requests through an upstream, and
// connections that end after connect, within a PROXY header, a ClientHello, a handshake, a request, or before
// the answer. Promised: what the process holds after the last of them is within 5 percent of what it held
// after the first tenth, and its descriptors are back at the start.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";
import { TestAuthority } from "../test/support/certificates.ts";
import { clientHello } from "../test/support/client-hello-bytes.ts";
import { ProxyProcess } from "../test/support/proxy-process.ts";
import { adminOnPortZero } from "../test/support/sluice-program.ts";
import { inlinePair, serverSocket, underTls } from "../test/support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../test/support/truth-resources.ts";
import { until } from "../test/support/until.ts";

const total = Number(process.argv[2] ?? 1_000_000);
if (!(total >= 1_000)) {
  console.error("usage: npm run leaks [-- connections]   (at least 1000)");
  process.exit(2);
}

/** Connections at a time. */
const clients = 32;
const tolerance = 1.05;
const proxyLine = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n";
const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const hello = clientHello({ serverName: "a.test" });
const secureContext = createSecureContext({ minVersion: "TLSv1.3" });

/** How a connection ends, by turns: as many are whole as are broken off. */
const kinds = [
  ["whole, plain", () => plain([request])],
  ["broken off after connect", () => broken("plain", [])],
  ["whole, TLS", () => secured({ resumes: false })],
  ["broken off within a PROXY header", () => broken("plain", ["PROXY TCP4 192.0."])],
  ["whole, with a PROXY header", () => plain([proxyLine, request])],
  ["broken off within a ClientHello", () => broken("secure", [hello.subarray(0, 60)])],
  ["whole, TLS resumed", () => secured({ resumes: true })],
  ["broken off within a handshake", () => broken("secure", [hello], { awaits: "bytes" })],
  ["whole, TLS with a PROXY header", () => secured({ resumes: false, before: proxyLine })],
  ["broken off after a handshake", () => secured({ resumes: false, leaves: "after handshake" })],
  ["whole, plain", () => plain([request])],
  ["broken off within a request", () => broken("plain", [request.slice(0, 30)])],
  ["whole, TLS", () => secured({ resumes: false })],
  ["broken off before the answer", () => secured({ resumes: false, leaves: "before answer" })],
  ["whole, plain", () => plain([request])],
  ["no HTTP and no TLS", () => broken("secure", ["\0\0\0\0 nonsense\r\n\r\n"], { awaits: "end" })],
];

await using cleanup = new AsyncDisposableStack();
const authority = cleanup.use(new TestAuthority());
const upstream = createServer((_, response) => response.end("answer")).listen(0, "127.0.0.1");
cleanup.defer(() => void upstream.close());
await until(() => upstream.listening, "the upstream listens");
const proxy = cleanup.use(await ProxyProcess.start(bootstrap(), ["--concurrency", "1"]));
const ports = await proxy.listenerPorts();
let session;

const fdsBefore = await settledDescriptors();
let first = 0;
let done = 0;
const startMs = performance.now();
const counts = new Map();
await Promise.all(Array.from({ length: clients }, client));
const last = residentKib();
const fdsAfter = await settledDescriptors();
for (const [kind, count] of counts) console.log(`${kind}: ${count}`);
const growth = last / first;
console.log(`RSS after a tenth ${mib(first)}, at the end ${mib(last)}: ${growth.toFixed(3)} of it`);
console.log(`descriptors before ${fdsBefore}, after ${fdsAfter}`);
const isGood = growth <= tolerance && fdsAfter <= fdsBefore;
console.log(isGood ? "leaks: none" : "leaks: BROKEN");
process.exitCode = isGood ? 0 : 1;

async function client(_, index) {
  for (let turn = index; turn < total; turn += clients) {
    const [name, run] = kinds[Math.floor(turn / clients) % kinds.length];
    await run(turn);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    done++;
    if (done === Math.floor(total / 10)) first = residentKib();
    if (done % Math.floor(total / 10) === 0) console.log(progress());
  }
}

/** Sends all of it and reads to the end. */
function plain(parts) {
  return new Promise((resolve, reject) => {
    const socket = connect(ports.get("plain"), "127.0.0.1", () => {
      for (const part of parts) socket.write(part);
    });
    const read = [];
    socket.on("data", (bytes) => read.push(bytes));
    socket.on("error", reject);
    socket.on("close", () => {
      if (String(Buffer.concat(read)).endsWith("answer")) resolve();
      else reject(new Error(`plain: ${Buffer.concat(read)}`));
    });
  });
}

/** Sends the parts and goes, every other time by a reset; or first awaits the proxy's bytes, or its end. */
function broken(listener, parts, { awaits = "nothing" } = {}) {
  return new Promise((resolve, reject) => {
    const leave = () => {
      if (Math.floor(done / kinds.length) % 2 === 0) socket.resetAndDestroy();
      else socket.end();
    };
    const socket = connect(ports.get(listener), "127.0.0.1", () => {
      for (const part of parts) socket.write(part);
      if (awaits === "nothing") setImmediate(leave);
    });
    if (awaits === "bytes") socket.once("data", leave);
    socket.resume();
    socket.on("error", (error) => {
      if (error.code !== "ECONNRESET") reject(error);
    });
    socket.on("close", resolve);
  });
}

async function secured({ resumes, before, leaves = "at the end" }) {
  const raw = connect(ports.get("secure"), "127.0.0.1");
  if (before !== undefined) raw.write(before);
  await new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: raw,
      servername: "a.test",
      secureContext,
      rejectUnauthorized: false,
      ...(resumes && session !== undefined && { session }),
    });
    const read = [];
    socket.on("session", (ticket) => (session = ticket));
    socket.on("secureConnect", () => {
      if (leaves === "after handshake") socket.destroy();
      else socket.write(request);
      if (leaves === "before answer") setImmediate(() => socket.destroy());
    });
    socket.on("data", (bytes) => read.push(bytes));
    socket.on("error", reject);
    socket.on("close", () => {
      const isWhole = String(Buffer.concat(read)).endsWith("answer");
      if (leaves !== "at the end" || isWhole) resolve();
      else reject(new Error(`TLS: ${Buffer.concat(read)}`));
    });
  });
  if (!raw.destroyed) raw.destroy();
}

function bootstrap() {
  const filter = (name, type, fields = {}) => ({
    name: `envoy.filters.listener.${name}`,
    typed_config: {
      "@type": `type.googleapis.com/envoy.extensions.filters.listener.${name}.v3.${type}`,
      ...fields,
    },
  });
  const filters = [
    filter("proxy_protocol", "ProxyProtocol", { allow_requests_without_proxy_protocol: true }),
    filter("tls_inspector", "TlsInspector"),
    filter("http_inspector", "HttpInspector"),
  ];
  const identity = authority.issue(["DNS:a.test"]);
  const socket = serverSocket({ tls_certificates: [inlinePair(identity)] });
  const listener = (name) =>
    httpListener(name, { route_config: routesTo("web") }, { listener_filters: filters });
  return {
    admin: adminOnPortZero,
    static_resources: {
      listeners: [listener("plain"), underTls(listener("secure"), socket)],
      clusters: [staticCluster("web", upstream.address().port)],
    },
  };
}

function residentKib() {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.pid}/status`, "utf8"))[1]);
}

/** When the last connections are gone: the admin's own and the upstream's stay a moment. */
async function settledDescriptors() {
  upstream.closeIdleConnections();
  await until(async () => {
    const active = await proxy.admin(
      "/stats?filter=^(http.(plain%7Csecure)|cluster.web.upstream).*cx_active$",
    );
    return active.split("\n").every((line) => line === "" || line.endsWith(": 0"));
  }, "no connection is left");
  return readdirSync(`/proc/${proxy.pid}/fd`).length;
}

function progress() {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  return `${seconds} s: ${done} connections, RSS ${mib(residentKib())}`;
}

function mib(kib) {
  return `${(kib / 1024).toFixed(1)} MiB`;
}
