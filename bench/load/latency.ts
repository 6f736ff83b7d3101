import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "../measure/pinned-process.ts";
import { findTool } from "../programs.ts";

const script = `done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("tail %d us, %d failed\\n", latency:percentile(99.9), failed))
end
`;

/** wrk, a few keep-alive connections in a closed loop, that says how slow the slowest in a thousand are. */
export function latencyCommand(folder: string, port: number, seconds: number): Command {
  const file = path.join(folder, "tail.lua");
  writeFileSync(file, script);
  const args = ["-t1", "-c8", `-d${seconds}s`, "--timeout", "10s", "-s", file];
  return { program: findTool("wrk"), args: [...args, `http://127.0.0.1:${port}/`] };
}

/** Milliseconds that 99.9 percent of the requests took at most. Throws if any failed. */
export function tailMs(output: string): number {
  const found = /tail (\d+) us, (\d+) failed/.exec(output);
  if (!found || Number(found[2]) > 0) throw new Error(`the load failed: ${output}`);
  return Number(found[1]) / 1e3;
}
