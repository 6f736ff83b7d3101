/** What HTTP filters cost a request: none, one of Envoy's that sees heads, and files of `--http-filter`. */
import path from "node:path";
import { sluiceWith } from "../proxies/envoy.ts";
import { http1Suite } from "./http1.ts";
import type { Suite } from "./suite.ts";

const moduleFile = path.join(import.meta.dirname, "../load/passing-filter.ts");
const flags = ["--http-filter", moduleFile];

const ownFilter = (sees: "heads" | "bodies"): object => ({
  name: "passing",
  typed_config: {
    "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
    type_url: "type.googleapis.com/bench.passing",
    value: { sees },
  },
});

const mutation = {
  name: "mutation",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    mutations: {
      request_mutations: [{ append: { header: { key: "x-bench", value: "1" } } }],
      response_mutations: [{ append: { header: { key: "x-bench", value: "1" } } }],
    },
  },
};

export const filtersSuite: Suite = {
  contenders: {
    none: () => sluiceWith("none", []),
    mutation: () => sluiceWith("mutation", [mutation]),
    "own-heads": () => sluiceWith("own-heads", [ownFilter("heads")], flags),
    "own-bodies": () => sluiceWith("own-bodies", [ownFilter("bodies")], flags),
  },
  cases: http1Suite.cases.filter(({ kind }) => kind === "cost"),
  backend: http1Suite.backend.bind(http1Suite),
};
