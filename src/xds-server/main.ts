/** `node src/xds-server/main.ts <folder> [host:port]`: serves a folder of YAML as ADS and follows it. */
import { messageOf } from "../shared/common/errors.ts";
import { systemClock } from "../shared/common/clock.ts";
import { FolderWatcher } from "./folder-watcher.ts";
import { ManagementServer } from "./management-server.ts";
import { ResourceFolder, type FolderContent } from "./resource-folder.ts";

const log = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(root: string | undefined, address = "127.0.0.1:18000"): Promise<number> {
  if (root === undefined) {
    process.stderr.write("usage: xds-server <folder of resources> [host:port]\n");
    return 1;
  }
  const server = await ManagementServer.start({ address, log });
  const folder = new ResourceFolder(root);
  const onContent = (content: FolderContent): void => void server.setAll(content);
  const watcher = new FolderWatcher({ folder, clock: systemClock, log, onContent });
  if (!watcher.load()) return 1;
  log(`serving ${root} on port ${server.port}`);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  await promise;
  watcher[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  return 0;
}

try {
  process.exitCode = await main(process.argv[2], process.argv[3]);
  if (process.exitCode !== 0) process.exit();
} catch (thrown) {
  process.stderr.write(`${messageOf(thrown)}\n`);
  process.exit(1);
}
