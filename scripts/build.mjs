// Makes dist/: the programs in few files, with the packages they use. They are what `bin/sluice` runs where the sources
// have not changed since, and what the published package and the image carry (docs/decisions/0010). Called by prepare.mjs.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
const built = await build({
  // As `bin/sluice` names them; the last two are threads, which their starters look for beside themselves.
  entryPoints: {
    main: "src/main.ts",
    status: "src/cli/status/main.ts",
    drains: "src/cli/drains/main.ts",
    restarter: "src/cli/restarter/main.ts",
    plan: "src/plan/main.ts",
    "xds-server": "src/xds-server/main.ts",
    "worker-main": "src/data/connection-handler/worker-main.ts",
    "main-watch": "src/control/server/main-watch.ts",
  },
  outdir: "dist",
  // No folders: what is found by `import.meta.url` is beside every module.
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // Carries a native library, which it looks for beside itself.
  external: ["koffi"],
  // For the packages that are CommonJS and ask for what Node has.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  legalComments: "eof",
  sourcemap: "linked",
  logLevel: "warning",
}).catch(() => undefined);
// What is wrong has been said.
if (!built) process.exit(1);
// What the program reads at run time beside its code.
cpSync("gen/envoy.binpb", "dist/envoy.binpb");
