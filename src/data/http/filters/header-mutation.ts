/** `envoy.filters.http.header_mutation`: its mutations in their order, on requests and on every response. */
import type { HttpFilterConfig } from "../../../shared/config/http-config.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { ExtraFields } from "../headers/extra-fields.ts";
import { CompiledMutations, type HeadChange } from "../headers/header-mutations.ts";
import type { HeadFilter } from "./http-filter.ts";

export type HeaderMutationConfig = Extract<HttpFilterConfig, { kind: "headerMutation" }>;

export class HeaderMutationFilter implements HeadFilter {
  readonly responseChange: HeadChange;
  readonly #request: readonly CompiledMutations[];

  constructor({ request, response }: HeaderMutationConfig) {
    this.#request = request.map((one) => new CompiledMutations(one));
    const ofResponse = response.map((one) => new CompiledMutations(one));
    this.responseChange = {
      apply(bytes, extra, info) {
        for (const mutation of ofResponse) mutation.apply(bytes, extra, info);
      },
    };
  }

  onRequest(bytes: Uint8Array, extra: ExtraFields, info: StreamInfo): undefined {
    for (const mutation of this.#request) mutation.apply(bytes, extra, info);
  }

  [Symbol.dispose](): void {}
}
