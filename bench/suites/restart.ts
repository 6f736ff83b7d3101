/**
 * What a restart costs clients, and how long it takes: `npm run bench -- restart`.
 *
 * What one would get wrong: these are counts and times of the clock, not CPU, so they are of one run: each program alone,
 * one after the other, on core 0.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { EchoingUpstream } from "../../test/support/echoing-upstream.ts";
import { servingBootstrap, type ServingPlaces } from "../../test/support/serving-bootstrap.ts";
import { type Failures, WholeLoad, type WholeLoadReport } from "../../test/support/whole-load.ts";
import { freePort } from "../measure/free-port.ts";
import { MainTurns } from "../measure/main-turns.ts";
import { leaveCoreToProxy } from "../measure/pinned-process.ts";
import { pause } from "../measure/pause.ts";
import { ms, type Samples, SampleTable } from "../measure/sample-table.ts";
import { ScriptedLoad } from "../measure/scripted-load.ts";
import type { Options } from "../options.ts";
import { findEnvoy, findTool, versionOf } from "../programs.ts";
import { Generations, type GenerationsOptions } from "../restarts/generations.ts";
import { assertAnswering, manyListeners } from "../restarts/many-listeners.ts";
import { moveAll } from "../restarts/moving.ts";
import { haproxyMaster, nginxMaster, ReloadedMaster } from "../restarts/reloaded-master.ts";
import type { RestartingProxy } from "../restarts/restarting-proxy.ts";
import { reloadTimes } from "../restarts/supervised.ts";
import type { Report } from "../runner.ts";
import { chosen } from "./rivals.ts";

const size = { kept: 32, short: 8, http2: { connections: 8, streams: 4 } };
/** Of load, before the next restart. */
const betweenMs = 500;

interface Size {
  readonly restarts: number;
  readonly reloaded: number;
  readonly handedOver: number;
  /** Idle; and a fifth as many streams beside them. */
  readonly moving: number;
}

const whole: Size = { restarts: 25, reloaded: 1_000, handedOver: 10_000, moving: 10_000 };
const quick: Size = { restarts: 3, reloaded: 100, handedOver: 500, moving: 500 };

interface Contestant {
  readonly name: string;
  readonly version: string;
  /** Undefined: it has one configuration file and one process, and knows of neither choreography. */
  readonly generations: Pick<GenerationsOptions, "program" | "by"> | undefined;
  readonly serve: (
    folder: string,
    places: ServingPlaces & { readonly http2: number },
  ) => Promise<RestartingProxy>;
}

interface RestartCase {
  readonly name: string;
  /** Undefined: not for this one. */
  measure(contestant: Contestant): Promise<Samples> | undefined;
}

export async function runRestart(
  { only, isQuick }: Options,
  say: (line: string) => void,
): Promise<Report> {
  const { restarts, reloaded, handedOver, moving } = isQuick ? quick : whole;
  const cases: readonly RestartCase[] = [
    { name: `load-${restarts}`, measure: (one) => underLoad(one, restarts, say) },
    { name: `sighup-${reloaded}`, measure: (one) => onSignal(one, reloaded) },
    { name: `listeners-${handedOver}`, measure: (one) => ofMany(one, handedOver) },
    { name: `moving-${moving}`, measure: (one) => ofHeld(one, moving) },
  ];
  leaveCoreToProxy();
  const table = new SampleTable();
  const contestants = chosen(allContestants(), only);
  for (const one of chosen(cases, only))
    for (const contestant of contestants) {
      const measured = one.measure(contestant);
      if (!measured) continue;
      say(`${one.name}: ${contestant.name}`);
      table.add(contestant.name, one.name, await measured);
    }
  const versions = contestants.map(({ name, version }) => [name, version] as const);
  return { ...table.report(), versions: Object.fromEntries(versions) };
}

function allContestants(): readonly Contestant[] {
  const sluice = path.join(import.meta.dirname, "../../bin/sluice");
  const [envoy, haproxy, nginx] = [findEnvoy(), findTool("haproxy"), findTool("nginx")];
  const generations = (name: string, options: Pick<GenerationsOptions, "program" | "by">) => ({
    name,
    version: versionOf(options.program, "--version"),
    generations: options,
    serve: (folder: string, places: ServingPlaces) => {
      const config = path.join(folder, "proxy.json");
      writeFileSync(config, JSON.stringify(servingBootstrap(places)));
      return Generations.start({ ...options, config, baseId: places.http });
    },
  });
  return [
    generations("sluice", { program: sluice, by: "epochs" }),
    generations("sluice-dir", { program: sluice, by: "directory" }),
    generations("envoy", { program: envoy, by: "epochs" }),
    {
      name: "haproxy",
      version: versionOf(haproxy, "-v").replace(/ - .*$/, ""),
      generations: undefined,
      serve: (folder, places) => ReloadedMaster.start(haproxyMaster(haproxy, folder, places)),
    },
    {
      name: "nginx",
      version: versionOf(nginx, "-v").replace("nginx version: ", ""),
      generations: undefined,
      serve: (folder, places) => ReloadedMaster.start(nginxMaster(nginx, folder, places)),
    },
  ];
}

/** Restarts, one after the other has ended, under every kind of client at once. */
async function underLoad(
  { name, generations, serve }: Contestant,
  restarts: number,
  say: (line: string) => void,
): Promise<Samples> {
  await using owned = new AsyncDisposableStack();
  const folder = scratch(owned);
  const upstream = owned.use(await EchoingUpstream.start());
  const http = await freePort();
  const http2 = generations ? http : await freePort();
  const [tcp, admin] = [await freePort(), await freePort()];
  const proxy = owned.use(await serve(folder, { http, http2, tcp, admin, upstream }));
  const ports = { http, http2, tcp: name === "nginx" ? undefined : tcp };
  const load = owned.use(new WholeLoad(ports, size));
  for (let i = 0; i < restarts; i++) {
    await pause(betweenMs);
    await proxy.restart();
    await proxy.alone();
  }
  // What the last one has cut is seen.
  await pause(betweenMs);
  const report = await load.stop();
  say(`${name}: ${JSON.stringify(report)}`);
  return samplesOf(report, restarts, ports.tcp !== undefined);
}

function samplesOf(report: WholeLoadReport, restarts: number, hasTcp: boolean): Samples {
  const { answered, kept, short, http2, stream, webSocket } = report;
  const count = (value: number) => ({ unit: `in ${restarts} restarts`, value });
  const refused = http2["RST_STREAM 7"] ?? 0;
  const untold = http2["a stream beyond the last of GOAWAY"] ?? 0;
  return {
    answered: count(answered.kept + answered.short + answered.http2),
    "kept connections, failed": count(sum(kept)),
    "short connections, failed": count(sum(short)),
    "HTTP/2, REFUSED_STREAM": count(refused + untold),
    "HTTP/2, other failures": count(sum(http2) - refused - untold),
    ...(hasTcp && { "TCP stream, cut": count(stream.cuts) }),
    ...(hasTcp && { "TCP stream, wrong bytes": count(stream.wrong) }),
    "WebSocket, cut": count(webSocket.cuts),
  };
}

/** Under a restarter, of listeners nobody is connected to. */
function onSignal({ generations }: Contestant, count: number): Promise<Samples> | undefined {
  if (generations?.by !== "epochs") return undefined;
  return withListeners(generations, count, async (options) => {
    const untried = await reloadTimes(options, false);
    const tried = await reloadTimes(options, true);
    return {
      "SIGHUP until all serve": ms(untried.servesMs),
      "the same, validated first": ms(tried.servesMs),
      "then until the empty parent has ended": ms(untried.goneMs),
    };
  });
}

function ofMany({ generations }: Contestant, count: number): Promise<Samples> | undefined {
  if (!generations) return undefined;
  return withListeners(generations, count, async (options, port) => {
    await using running = await Generations.start(options);
    const startedMs = performance.now();
    await running.restart();
    const tookMs = performance.now() - startedMs;
    await assertAnswering(count, port);
    await running.alone();
    return {
      "start until all serve": ms(tookMs),
      "a listener": { unit: "µs", value: (tookMs * 1_000) / count },
    };
  });
}

/** Connections that are held, nothing else. Only a Sluice gives its own away. */
function ofHeld({ name, generations }: Contestant, idle: number): Promise<Samples> | undefined {
  return generations && name.startsWith("sluice") ? moving(generations, idle) : undefined;
}

async function moving(
  generations: Pick<GenerationsOptions, "program" | "by">,
  idle: number,
): Promise<Samples> {
  await using owned = new AsyncDisposableStack();
  const folder = scratch(owned);
  const upstream = owned.use(await EchoingUpstream.start());
  const [http, tcp, admin] = [await freePort(), await freePort(), await freePort()];
  const config = path.join(folder, "proxy.json");
  const places = { http, tcp, admin, upstream };
  // Above the 1,024 connections of the default.
  const circuit_breakers = { thresholds: [{ max_connections: idle }] };
  writeFileSync(config, JSON.stringify(servingBootstrap(places, { circuit_breakers })));
  const turns = new MainTurns(folder);
  const { environment } = turns;
  const proxy = owned.use(
    await Generations.start({ ...generations, config, baseId: http, environment }),
  );
  const streams = idle / 5;
  const held = owned.use(new ScriptedLoad("held-connections.ts", [http, idle, tcp, streams]));
  return await moveAll({ proxy, held, count: idle + streams, admin, turns });
}

async function withListeners(
  generations: Pick<GenerationsOptions, "program" | "by">,
  count: number,
  body: (options: GenerationsOptions, port: number) => Promise<Samples>,
): Promise<Samples> {
  await using owned = new AsyncDisposableStack();
  const config = path.join(scratch(owned), "proxy.json");
  const port = await freePort();
  writeFileSync(config, JSON.stringify(manyListeners(count, port, await freePort())));
  return await body({ ...generations, config, baseId: port }, port);
}

function scratch(owned: AsyncDisposableStack): string {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-bench-"));
  owned.defer(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function sum(failures: Failures): number {
  return Object.values(failures).reduce((total, each) => total + each, 0);
}
