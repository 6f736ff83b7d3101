import { writeFileSync } from "node:fs";
import path from "node:path";
import { findTool } from "../programs.ts";
import type { Command } from "../measure/pinned-process.ts";
import type { BackendPath } from "../proxies/nginx.ts";

/** HTTP/2 load by h2load, with prior knowledge: so many streams at once on each of so many connections. */
export interface Http2Load {
  readonly path: BackendPath | "echo";
  readonly connections: number;
  readonly streams: number;
  /** Length of the body of a POST, or the body; without it the request is a GET. */
  readonly post?: number | Uint8Array;
  readonly fields?: readonly string[];
}

export function h2loadCommand(
  folder: string,
  port: number,
  load: Http2Load & { readonly seconds: number },
): Command {
  // h2load takes whole seconds only.
  const seconds = Math.max(1, Math.round(load.seconds));
  const { connections, streams, post, fields = [] } = load;
  const args = ["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds}`];
  args.push(...fields.flatMap((field) => ["-H", field]));
  if (post !== undefined) args.push("-d", bodyFile(folder, post));
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

/** Bytes of bodies, in whole units of what h2load prints. */
export function receivedBytes(output: string): number {
  return Number(/\((\d+)\) data/.exec(output)?.[1] ?? Number.NaN);
}

function bodyFile(folder: string, body: number | Uint8Array): string {
  const bytes = typeof body === "number" ? Buffer.alloc(body, "x") : body;
  const file = path.join(folder, `body-${bytes.length}`);
  writeFileSync(file, bytes);
  return file;
}
