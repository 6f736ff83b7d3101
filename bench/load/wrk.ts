import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "../measure/pinned-process.ts";
import type { BackendPath } from "../proxies/nginx.ts";
import { findTool } from "../programs.ts";

/** HTTP load by wrk: keep-alive connections in a closed loop, as fast as the proxy answers. */
export interface HttpLoad {
  readonly path: BackendPath;
  readonly isTls?: boolean;
  readonly connections: number;
  readonly seconds: number;
  /** Length of the body of a POST; without it the request is a GET. */
  readonly postBytes?: number;
}

export function wrkCommand(folder: string, port: number, load: HttpLoad): Command {
  // wrk takes whole seconds only.
  const seconds = Math.max(1, Math.round(load.seconds));
  const args = ["-t1", `-c${load.connections}`, `-d${seconds}s`, "--timeout", "10s"];
  if (load.postBytes !== undefined) args.push("-s", postScript(folder, load.postBytes));
  const scheme = load.isTls === true ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${port}/${load.path}`;
  return { program: findTool("wrk"), args: [...args, url] };
}

/** Requests completed. A run with any failure measures something else: it is an error. */
export function completedRequests(output: string): number {
  const trouble = /Socket errors: .*|Non-2xx or 3xx responses: .*/.exec(output);
  // wrk counts what is in flight at the end of a run nowhere, and prints this line only on errors.
  if (trouble) throw new Error(`the load failed: ${trouble[0]}`);
  const completed = Number(/(\d+) requests in /.exec(output)?.[1] ?? 0);
  if (completed === 0) throw new Error("the load completed no request");
  return completed;
}

function postScript(folder: string, bytes: number): string {
  const file = path.join(folder, `post-${bytes}.lua`);
  const lines = [
    `wrk.method = "POST"`,
    `wrk.body = string.rep("x", ${bytes})`,
    `wrk.headers["Content-Type"] = "application/octet-stream"`,
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}
