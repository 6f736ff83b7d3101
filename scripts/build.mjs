// `npm run build`: dist/ for the published package and the image. Development and tests never need it.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const result = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (result.status !== 0) process.exit(1);
// What the program reads at run time beside its code.
cpSync("gen/envoy.binpb", "dist/envoy.binpb");
