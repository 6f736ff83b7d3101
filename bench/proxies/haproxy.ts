import { writeFileSync } from "node:fs";
import path from "node:path";
import { findTool, versionOf } from "../programs.ts";
import type { Contender, Protocol } from "./proxy.ts";
import { serverCertificates } from "./server-certificates.ts";

/**
 * HAProxy on one thread. `tuned` is what served it best per protocol when both were tried: larger
 * buffers and splicing for TCP; for HTTP, upstream connections shared without its usual caution
 * (larger buffers made its 64 KiB responses dearer).
 */
export function haproxy(
  protocol: Exclude<Protocol, "sni">,
  variant: "default" | "tuned",
): Contender {
  const program = findTool("haproxy");
  const isTuned = variant === "tuned";
  const name = isTuned ? "haproxy-tuned" : "haproxy";
  const mode = protocol === "tcp" ? "tcp" : "http";
  const speaks = protocol === "h2c" || protocol === "h2c-both" ? " proto h2" : "";
  const asks = protocol === "h2c-both" ? " proto h2" : "";
  const tuning = { http: "http-reuse always", tcp: "option splice-auto" } as const;
  return {
    name,
    version: versionOf(program, "-v").replace(/ - .*$/, ""),
    prepare(folder, ports) {
      const file = path.join(folder, `${name}.cfg`);
      const shown = protocol === "https" ? serverCertificates(folder) : [];
      const crts = shown.map(({ combined }) => `crt ${combined}`).join(" ");
      writeFileSync(
        file,
        `global
  nbthread 1
  maxconn 9500
  ${isTuned && protocol === "tcp" ? "tune.bufsize 262144" : ""}
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  ${isTuned ? tuning[mode] : ""}
listen bench
  bind 127.0.0.1:${ports.proxy}${crts && ` ssl ${crts}`}${speaks}
  server backend 127.0.0.1:${ports.backend}${asks}
`,
      );
      return { program, args: ["-db", "-f", file] };
    },
  };
}
