/**
 * `npm start`: the main job on real input, on one machine. A control plane pushes, the proxy serves,
 * changes and drains, and every request is counted.
 */
import path from "node:path";
import { parseStoryOptions } from "./story-options.ts";
import { runStory } from "./story.ts";
import { openScreen } from "./terminal-screen.ts";

const root = path.join(import.meta.dirname, "../../..");
const options = parseStoryOptions(process.argv.slice(2), {
  proxy: path.join(root, "bin/sluice"),
  example: path.join(root, "examples/story"),
});
if (!options.ok) {
  process.stderr.write(`${options.message}\n`);
  process.exit(process.argv.includes("--help") ? 0 : 1);
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => stop.abort());

const screen = openScreen(process.stdout);
try {
  const goProgram = path.join(root, "test/interop/go-control-plane");
  const { made, failed, error } = await runStory(options.value, goProgram, screen, stop.signal);
  screen.say(`${made} requests, ${failed} failed`);
  if (error !== undefined) screen.say(error);
  process.exitCode = failed === 0 && error === undefined ? 0 : 1;
} catch (thrown) {
  screen.say(thrown instanceof Error ? thrown.message : String(thrown));
  process.exitCode = 1;
} finally {
  screen[Symbol.dispose]();
}
// Kept-alive connections of the traffic may linger; nothing of the story is left to wait for.
process.exit();
