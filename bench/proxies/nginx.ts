import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "../measure/pinned-process.ts";
import { findTool, versionOf } from "../programs.ts";
import type { Contender } from "./proxy.ts";
import { serverCertificates } from "./server-certificates.ts";

/**
 * nginx as a peer and as the HTTP backend. As a peer it keeps upstream connections (its own default
 * opens one for each request, which would measure that); `tuned` has buffers that hold the whole
 * 64 KiB response, where the default writes some of it to a file.
 */
export function nginx(
  protocol: "http" | "h2c" | "https" | "grpc" | "websocket",
  variant: "default" | "tuned",
): Contender {
  const program = findTool("nginx");
  const buffers = variant === "tuned" ? "proxy_buffer_size 16k; proxy_buffers 4 128k;" : "";
  return {
    name: variant === "tuned" ? "nginx-tuned" : "nginx",
    version: versionOf(program, "-v").replace("nginx version: ", ""),
    prepare(folder, ports) {
      const shown = protocol === "https" ? serverCertificates(folder) : [];
      const certificates = shown.map(
        ({ certificate, key }) => `ssl_certificate ${certificate}; ssl_certificate_key ${key};`,
      );
      const isTls = protocol === "https" ? " ssl" : "";
      const isHttp2 = protocol === "h2c" || protocol === "grpc" ? " http2" : "";
      // Of this age it speaks 1.2 unless told, and all peers are to do the same work.
      if (isTls) certificates.push("ssl_protocols TLSv1.2 TLSv1.3;");
      const server = `
        upstream backend { server 127.0.0.1:${ports.backend}; keepalive 256; keepalive_requests 100000000; }
        server {
          listen 127.0.0.1:${ports.proxy}${isTls}${isHttp2} backlog=1024;
          ${certificates.join(" ")}
          ${buffers}
          location / { ${passing(protocol)} }
        }`;
      return command(program, path.join(folder, this.name), server);
    },
  };
}

function passing(protocol: "http" | "h2c" | "https" | "grpc" | "websocket"): string {
  if (protocol === "grpc") return "grpc_pass grpc://backend;";
  const pass = `proxy_pass http://backend; proxy_http_version 1.1;`;
  if (protocol !== "websocket") return `${pass} proxy_set_header Connection "";`;
  return `${pass} proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 1h;`;
}

/** Bodies by path: `small` 128 bytes, also in answer to a POST; `64k`; `1g`, a file without blocks. */
export const backendBodies = { small: 128, "64k": 64 * 1024, "1g": 1024 ** 3 } as const;
export type BackendPath = keyof typeof backendBodies;

/** `files` holds the bodies `64k` and `1g`. */
export function httpBackend(
  folder: string,
  files: string,
  port: number,
  protocol: "http" | "h2c" = "http",
): Command {
  const speaks = protocol === "h2c" ? " http2" : "";
  const server = `
    server {
      listen 127.0.0.1:${port}${speaks} backlog=4096;
      default_type text/plain;
      location = /small { return 200 "${"x".repeat(backendBodies.small)}"; }
      location / { root ${files}; }
    }`;
  return command(findTool("nginx"), path.join(folder, "backend"), server);
}

function command(program: string, prefix: string, servers: string): Command {
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    `${prefix}.conf`,
    `${user} daemon off; worker_processes 1; pid ${prefix}.pid; error_log ${prefix}.log error;
     worker_rlimit_nofile 20000;
     events { worker_connections 20000; }
     http {
       access_log off; keepalive_requests 100000000; keepalive_timeout 1h; sendfile on; tcp_nopush on;
       ${scratch.map((name) => `${name}_temp_path ${prefix}-${name};`).join(" ")}
       ${servers}
     }\n`,
  );
  return { program, args: ["-c", `${prefix}.conf`, "-e", `${prefix}.log`] };
}
