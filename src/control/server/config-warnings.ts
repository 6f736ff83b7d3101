/**
 * Fields that are accepted and not honoured: each is said once in the log, however often it comes, and
 * every occurrence is counted (`sluice.config.unsupported_fields`).
 */
import type { Logger } from "../../shared/common/log.ts";
import type { UnsupportedField } from "../admin/config-dump.ts";
import type { ConfigWarning, DecodeResult } from "../proto/decode-result.ts";
import type { ResourceType } from "../xds/resource-batch.ts";

/** Distinct fields are as many as Envoy's protos have, at most; beyond this they are only counted. */
const rememberedMax = 10_000;

export class ConfigWarnings {
  readonly #log: Logger;
  readonly #seen = new Map<string, { readonly reason: string; count: number }>();
  #count = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  get count(): number {
    return this.#count;
  }

  /** Each field once, with how often it came: for `/config_dump`. */
  view(): readonly UnsupportedField[] {
    return [...this.#seen].map(([field, { reason, count }]) => ({ field, reason, count }));
  }

  report(warnings: readonly ConfigWarning[]): void {
    for (const { field, reason } of warnings) {
      this.#count++;
      const seen = this.#seen.get(field);
      if (seen) seen.count++;
      if (seen || this.#seen.size >= rememberedMax) continue;
      this.#seen.set(field, { reason, count: 1 });
      this.#log.warning(`${field} is not supported: ${reason}`);
    }
  }

  /** The same type, whose warnings are reported as it is decoded. */
  reporting<T>(type: ResourceType<T>): ResourceType<T> {
    return {
      ...type,
      decode: (bytes): DecodeResult<T> => {
        const result = type.decode(bytes);
        if (result.ok) this.report(result.warnings);
        return result;
      },
    };
  }
}
