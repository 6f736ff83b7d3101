/**
 * gRPC's interop cases (grpc/doc/interop-test-descriptions.md) by its library for Go, client and server, through the
 * proxy: in plain text and under TLS, on both reactors.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { forEachProxy } from "../support/each-proxy.ts";
import { GrpcGoServer, installGrpcGo, runGrpcGoClient } from "../support/grpc-go.ts";
import { GrpcIdentity, startGrpcProxy } from "../support/grpc-stage.ts";

const cases = [
  "empty_unary",
  "large_unary",
  "client_streaming",
  "server_streaming",
  "ping_pong",
  "empty_stream",
  "timeout_on_sleeping_server",
  "cancel_after_begin",
  "cancel_after_first_response",
  "status_code_and_message",
  "special_status_message",
  "custom_metadata",
  "unimplemented_method",
  "unimplemented_service",
];

const missing = await installGrpcGo();
if (missing !== undefined) {
  console.error(`interop: grpc-go is skipped, ${missing}`);
  test("calls by grpc-go pass", { skip: missing }, () => {});
} else
  forEachProxy("calls by grpc-go pass", async (start, scope) => {
    const identity = scope.use(new GrpcIdentity());
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-grpc-go-"));
    scope.defer(() => rmSync(folder, { recursive: true }));
    const file = (name: string, text: string): string => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };
    const ca = file("ca.pem", identity.authority.certificate);
    const certificate = file("leaf.pem", identity.pair.certificate);
    const key = file("leaf.key", identity.pair.privateKey);
    const plain = scope.use(await GrpcGoServer.start());
    const secured = scope.use(
      await GrpcGoServer.start([
        "--use_tls",
        "--tls_cert_file",
        certificate,
        "--tls_key_file",
        key,
      ]),
    );
    const hosts = { plain: plain.port, secured: secured.port };
    const { listeners } = await startGrpcProxy(start, hosts, identity);
    const underTls = [
      "--use_tls",
      "--use_test_ca",
      "--ca_file",
      ca,
      "--server_host_override",
      "localhost",
    ];
    for (const each of cases) {
      await runGrpcGoClient(listeners.plain, each, []);
      await runGrpcGoClient(listeners.secured, each, underTls);
    }
  });
