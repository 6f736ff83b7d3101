/** HAProxy and nginx: a master that stays, and at a signal has a new worker beside the one that drains. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { ServingPlaces } from "../../test/support/serving-bootstrap.ts";
import { type Command, cores, PinnedProcess } from "../measure/pinned-process.ts";
import { childrenOf } from "../measure/process-tree.ts";
import { lastTimes, type RestartingProxy } from "./restarting-proxy.ts";

/** Neither has HTTP/2 in plain text and HTTP/1 on one port. */
export type MasterPlaces = Omit<ServingPlaces, "admin"> & { readonly http2: number };

export interface Master {
  readonly command: Command;
  readonly reload: NodeJS.Signals;
}

const waitMsMax = 20_000;

export class ReloadedMaster implements RestartingProxy {
  readonly #process: PinnedProcess;
  readonly #reload: NodeJS.Signals;

  private constructor({ command, reload }: Master) {
    this.#process = new PinnedProcess(command, cores.proxy);
    this.#reload = reload;
  }

  static async start(master: Master): Promise<ReloadedMaster> {
    await using owned = new AsyncDisposableStack();
    const reloaded = owned.use(new ReloadedMaster(master));
    await reloaded.#until((workers) => workers.length > 0);
    owned.move();
    return reloaded;
  }

  async restart(): Promise<void> {
    const before = new Set(childrenOf(this.#process.pid));
    this.#process.signal(this.#reload);
    await this.#until((workers) => workers.some((worker) => !before.has(worker)));
  }

  async alone(): Promise<void> {
    await this.#until((workers) => workers.length === 1);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  async #until(isTrue: (workers: readonly number[]) => boolean): Promise<void> {
    const deadline = performance.now() + waitMsMax;
    while (!isTrue(childrenOf(this.#process.pid))) {
      this.#process.assertAlive();
      if (performance.now() > deadline) throw new Error(`no such workers:\n${this.#process.log}`);
      await pause(5);
    }
  }
}

/** Its listening sockets go from worker to worker (`expose-fd`), or connections would be refused. */
export function haproxyMaster(program: string, folder: string, places: MasterPlaces): Master {
  const file = path.join(folder, "haproxy.cfg");
  const { http, http2, tcp, upstream } = places;
  writeFileSync(
    file,
    `global
  nbthread 1
  stats socket ${folder}/haproxy.sock level admin expose-fd listeners
  hard-stop-after ${lastTimes.endS}s
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
listen http
  bind 127.0.0.1:${http}
  server up 127.0.0.1:${upstream.http}
listen http2
  bind 127.0.0.1:${http2} proto h2
  server up 127.0.0.1:${upstream.http}
listen tcp
  mode tcp
  bind 127.0.0.1:${tcp}
  server up 127.0.0.1:${upstream.tcp}
`,
  );
  const args = ["-W", "-db", "-f", file];
  return { command: { program, args }, reload: "SIGUSR2" };
}

/** Without a TCP proxy: the distribution has it in a package of its own. */
export function nginxMaster(program: string, folder: string, places: MasterPlaces): Master {
  const file = path.join(folder, "nginx.conf");
  const { http, http2, upstream } = places;
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const pass = `location / {
      proxy_pass http://up; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrading;
    }`;
  writeFileSync(
    file,
    `${user} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log error;
worker_shutdown_timeout ${lastTimes.endS}s;
events { worker_connections 2000; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
  ${scratch.map((name) => `${name}_temp_path ${folder}/nginx-${name};`).join(" ")}
  map $http_upgrade $upgrading { "" ""; default upgrade; }
  upstream up { server 127.0.0.1:${upstream.http}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${http} backlog=1024; ${pass} }
  server { listen 127.0.0.1:${http2} http2 backlog=1024; ${pass} }
}
`,
  );
  const args = ["-c", file, "-e", `${folder}/nginx.log`];
  return { command: { program, args }, reload: "SIGHUP" };
}
