/**
 * An HTTP filter in one file. It turns away whoever does not say a name, greets in a response field, and writes names in
 * bodies large.
 *
 *     bin/sluice --http-filter examples/http-filter/greeting.ts -c examples/http-filter/bootstrap.yaml
 *     curl -i -H 'x-name: ada' localhost:10000 -d 'I am ada'
 */
import type {
  DataOutcome,
  Fields,
  HttpFilter,
  HttpFilterModule,
  Outcome,
  ResponseFields,
} from "../../src/shared/http-filter/http-filter.ts";

class Greeting implements HttpFilter {
  readonly #word: string;
  #name = "";
  #body = "";

  constructor(word: string) {
    this.#word = word;
  }

  decodeHeaders(fields: Fields): Outcome {
    const name = fields.get("x-name");
    if (name === undefined) return { status: 401, body: "Who are you?\n" };
    this.#name = name;
    fields.delete("x-name");
    fields.set("x-known-as", name);
  }

  /** The whole body is wanted: it may lie across parts. */
  decodeData(data: Uint8Array, isEnd: boolean): DataOutcome {
    this.#body += Buffer.from(data).toString("utf8");
    if (!isEnd) return new Uint8Array();
    return Buffer.from(this.#body.replaceAll(this.#name, this.#name.toUpperCase()));
  }

  encodeHeaders(fields: ResponseFields): void {
    if (this.#name !== "") fields.set("x-greeting", `${this.#word}, ${this.#name}!`);
  }
}

export const filter: HttpFilterModule = {
  name: "example.greeting",
  configure({ word = "Hello" }) {
    if (typeof word !== "string") throw new Error("word: a string is wanted");
    return { changesRequestBody: true, create: () => new Greeting(word) };
  },
};
