/** `sluice xds-server`: serves a folder of YAML, or what is pushed over HTTP, to every proxy that asks. */
import { parseArgs } from "node:util";
import { messageOf } from "../shared/common/errors.ts";
import { systemClock } from "../shared/common/clock.ts";
import { ApiServer } from "./api/api-server.ts";
import { FolderWatcher } from "./folder-watcher.ts";
import { ManagementServer } from "./management-server.ts";
import { ResourceFolder } from "./resource-folder.ts";
import { ResourceReader } from "./resource-reader.ts";
import { ServerTls } from "./server-tls.ts";

const addressDefault = "127.0.0.1:18000";
const httpAddressDefault = "127.0.0.1:18001";

const usage = `usage: sluice xds-server [FOLDER] [--address HOST:PORT] [--http-address HOST:PORT]
  FOLDER                    resources as YAML or JSON: listeners/, clusters/, routes.yaml and so on;
                            followed: a file that is saved is pushed. Without it, push over HTTP
  --address HOST:PORT       discovery over gRPC (default ${addressDefault}); unix:PATH too
  --http-address HOST:PORT  the HTTP API, and discovery by polling (default ${httpAddressDefault})
  --tls-cert FILE           PEM: serves TLS on both, read again for each connection
  --tls-key FILE            PEM: the key of --tls-cert
  --client-ca FILE          PEM: clients have to show a certificate that this CA has signed
  --allowed-host NAME       another name that an HTTP request may call this server by; may be repeated
`;

const log = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      address: { type: "string", default: addressDefault },
      "http-address": { type: "string", default: httpAddressDefault },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
      "client-ca": { type: "string" },
      "allowed-host": { type: "string", multiple: true, default: [] },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [root, ...more] = positionals;
  if (more.length > 0) throw new Error(`one folder, not ${positionals.length}; see --help`);
  const reader = new ResourceReader();
  const { address, "http-address": httpAddress, "allowed-host": allowedHosts } = values;
  const tls = tlsOf(values["tls-cert"], values["tls-key"], values["client-ca"]);
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await bound(
      "--address",
      address,
      ManagementServer.start({ address, log, protos: reader.protos, tls }),
    ),
  );
  const options = { server, reader, address: httpAddress, allowedHosts, tls };
  const api = stack.use(await bound("--http-address", httpAddress, ApiServer.listen(options)));
  if (root !== undefined && !follow(root, server, reader, stack)) return 1;
  const what = root ?? "what is pushed";
  const how = tls ? ", with TLS" : "";
  log(`serving ${what} on port ${server.port}, its HTTP API on port ${api.port}${how}`);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  await promise;
  return 0;
}

/** Undefined: nothing of TLS is asked for. */
function tlsOf(
  certificate: string | undefined,
  privateKey: string | undefined,
  clientCa: string | undefined,
): ServerTls | undefined {
  if (certificate !== undefined && privateKey !== undefined)
    return new ServerTls({ certificate, privateKey, clientCa }, log);
  if (certificate === undefined && privateKey === undefined && clientCa === undefined)
    return undefined;
  throw new Error("TLS needs both --tls-cert and --tls-key");
}

/** False if something in the folder is broken; it says so. */
function follow(
  root: string,
  server: ManagementServer,
  reader: ResourceReader,
  stack: AsyncDisposableStack,
): boolean {
  const watcher = stack.use(
    new FolderWatcher({
      folder: new ResourceFolder(root, {}, reader.protos),
      clock: systemClock,
      log,
      onContent: (content) => void server.setAll(content),
    }),
  );
  return watcher.load();
}

async function bound<T>(flag: string, address: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (thrown) {
    const isTaken = (thrown as NodeJS.ErrnoException).code === "EADDRINUSE";
    const reason = isTaken ? "another program listens there" : messageOf(thrown);
    throw new Error(`cannot listen on ${address}: ${reason}; name another with ${flag}`, {
      cause: thrown,
    });
  }
}

try {
  process.exitCode = await main();
  if (process.exitCode !== 0) process.exit();
} catch (thrown) {
  process.stderr.write(`sluice xds-server: ${messageOf(thrown)}\n`);
  process.exit(1);
}
