/** The prober of a health check's kind. */
import { GrpcProber } from "./grpc-prober.ts";
import type { CreateProber } from "./health-checked-hosts.ts";
import { HttpProber } from "./http-prober.ts";
import { tcpProber } from "./tcp-prober.ts";

export const createProber: CreateProber = ({ probe, reuseConnection }, target, onVerify) => {
  switch (probe.kind) {
    case "http":
      return new HttpProber({ config: probe, target, reuseConnection, onVerify });
    case "tcp":
      return tcpProber(probe, target);
    case "grpc":
      return new GrpcProber({ config: probe, target, reuseConnection });
    default:
      return probe satisfies never;
  }
};
