/**
 * What every decoder of this folder is given: the types, and where to put what is wrong. Decoders do not
 * stop at an error: they note it, go on with a default, and the value is thrown away at the end.
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type TypedConfig, openAny } from "../proto/any.ts";
import type { ReadResult } from "../proto/binary.ts";
import type { HttpFilterModules } from "../../shared/http-filter/load-filters.ts";
import type { ConfigWarning, DecodeResult } from "../proto/decode-result.ts";
import type { MessageValidator } from "../proto/message-validator.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { applyFieldPolicy } from "./field-policy.ts";

/** Shared by all resources of a process. */
export interface DecodeTools {
  readonly protos: ProtoRegistry;
  readonly validator: MessageValidator;
  /** Of files that `--http-filter` names. */
  readonly httpFilters?: HttpFilterModules;
}

/** Texts of Envoy's that say already which resource they are about. */
const namesResource = /^(error adding listener|cluster ')/;

export class DecodeContext {
  readonly tools: DecodeTools;
  readonly #errors = new Set<string>();
  readonly #warnings = new Map<string, ConfigWarning>();
  #resource = "";

  constructor(tools: DecodeTools) {
    this.tools = tools;
  }

  get protos(): ProtoRegistry {
    return this.tools.protos;
  }

  /** Said once, however often it is noted. */
  refuse(error: string): void {
    const isNamed = this.#resource === "" || namesResource.test(error);
    this.#errors.add(isNamed ? error : `${this.#resource}: ${error}`);
  }

  /** What is refused meanwhile names the resource: for those that are parts of a larger one. */
  within<T>(resource: string, decode: () => T): T {
    const outer = this.#resource;
    this.#resource = resource;
    const value = decode();
    this.#resource = outer;
    return value;
  }

  warn(field: string, reason: string): void {
    if (!this.#warnings.has(field)) this.#warnings.set(field, { field, reason });
  }

  /**
   * Rules of the protos, then the field policy, as Envoy does for a resource and for each Any in it when
   * its factory runs. False if a rule is broken: then there is no sense in looking further.
   */
  check(desc: DescMessage, message: Message): boolean {
    const violations = this.tools.validator.validate(desc, message);
    for (const violation of violations) this.refuse(violation);
    if (violations.length > 0) return false;
    applyFieldPolicy(desc, message, this);
    return true;
  }

  /** Opens an Any; undefined, with the reason noted, if it is broken. */
  open(any: Any | undefined): TypedConfig | undefined {
    return this.#noted(openAny(this.protos, any));
  }

  /** Reads and checks the content of an extension; undefined if it is not worth more looks. */
  read<T extends Message>(config: TypedConfig, schema: GenMessage<T>): T | undefined {
    const message = this.#noted(config.read(schema));
    return message && this.check(schema, message) ? message : undefined;
  }

  /** The end of decoding: the value if nothing was refused. */
  result<T>(value: T | undefined): DecodeResult<T> {
    if (value !== undefined && this.#errors.size === 0)
      return { ok: true, value, warnings: [...this.#warnings.values()] };
    return { ok: false, errors: [...this.#errors] };
  }

  #noted<T>(result: ReadResult<T>): T | undefined {
    if (result.ok) return result.value;
    for (const error of result.errors) this.refuse(error);
    return undefined;
  }
}
