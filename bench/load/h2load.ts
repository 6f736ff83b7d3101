import { writeFileSync } from "node:fs";
import path from "node:path";
import { findTool } from "../programs.ts";
import type { Command } from "../measure/pinned-process.ts";
import type { BackendPath } from "../proxies/nginx.ts";

/** HTTP/2 load by h2load, with prior knowledge: so many streams at once on each of so many connections. */
export interface Http2Load {
  readonly path: BackendPath;
  readonly connections: number;
  readonly streams: number;
  /** Length of the body of a POST; without it the request is a GET. */
  readonly postBytes?: number;
}

export function h2loadCommand(
  folder: string,
  port: number,
  load: Http2Load & { readonly seconds: number },
): Command {
  // h2load takes whole seconds only.
  const seconds = Math.max(1, Math.round(load.seconds));
  const { connections, streams, postBytes } = load;
  const args = ["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds}`];
  if (postBytes !== undefined) args.push("-d", bodyFile(folder, postBytes));
  const url = `http://127.0.0.1:${port}/${load.path}`;
  return { program: findTool("h2load"), args: [...args, url] };
}

/** Requests completed. A run with any failure measures something else: it is an error. */
export function completedStreams(output: string): number {
  const [, succeeded, failed, errored] =
    /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(output) ?? [];
  const good = Number(/(\d+) 2xx/.exec(output)?.[1] ?? 0);
  if (Number(failed) + Number(errored) > 0 || Number(succeeded) === 0 || good === 0)
    throw new Error(`the load failed: ${/requests: .*\n.*/.exec(output)?.[0] ?? output}`);
  return Number(succeeded);
}

function bodyFile(folder: string, bytes: number): string {
  const file = path.join(folder, `body-${bytes}`);
  writeFileSync(file, "x".repeat(bytes));
  return file;
}
