/** JA3 and JA4 against values that others have published for the same clients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ClientHello,
  readClientHello,
} from "../../../src/data/listener-filters/client-hello.ts";
import { ja3Of, ja4Of } from "../../../src/data/listener-filters/hello-fingerprints.ts";
import { helloOf, prefixed16, serverNameExtension, u16 } from "../../support/client-hello-bytes.ts";

interface Plan {
  readonly version?: number;
  readonly ciphers: readonly number[];
  readonly extensions: readonly number[];
  readonly groups?: readonly number[];
  readonly algorithms?: readonly number[];
  readonly versions?: readonly number[];
  readonly alpn?: string;
}

const list16 = (values: readonly number[]): Buffer => Buffer.concat(values.map(u16));

/** The content of an extension, as far as a fingerprint looks into it. */
function contentOf(type: number, plan: Plan): Buffer {
  const { groups = [], algorithms = [], versions = [], alpn = "" } = plan;
  switch (type) {
    case 0:
      return serverNameExtension(Buffer.from("a.example"));
    case 10:
      return prefixed16(list16(groups));
    case 11:
      return Buffer.from([1, 0]);
    case 13:
      return prefixed16(list16(algorithms));
    case 16:
      return prefixed16(Buffer.concat([Buffer.from([alpn.length]), Buffer.from(alpn, "latin1")]));
    case 43:
      return Buffer.concat([Buffer.from([versions.length * 2]), list16(versions)]);
    default:
      return Buffer.alloc(0);
  }
}

function read(plan: Plan): ClientHello {
  const extensions = plan.extensions.map((type) => [type, contentOf(type, plan)] as const);
  const { version = 0x0303, ciphers } = plan;
  const result = readClientHello(helloOf({ version, ciphers, extensions }));
  assert(result.kind === "hello", result.kind);
  return result.hello;
}

const modernCiphers = [
  0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
  0x009d, 0x002f, 0x0035,
];
const modernAlgorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

/** Chrome 143 as browserleaks.com prints it, GREASE left out. */
const chrome: Plan = {
  ciphers: modernCiphers,
  extensions: [45, 51, 16, 65037, 23, 17613, 0, 11, 10, 43, 65281, 35, 18, 5, 13, 27],
  groups: [4588, 29, 23, 24],
  algorithms: modernAlgorithms,
  versions: [0x0304, 0x0303],
  alpn: "h2",
};

/** The first example of salesforce/ja3's README, then the one without extensions. */
const old: Plan = {
  version: 769,
  ciphers: [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
  extensions: [0, 10, 11],
  groups: [23, 24, 25],
};
const bare: Plan = {
  version: 769,
  ciphers: [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
  extensions: [],
};

test("JA3 is as published", () => {
  assert.equal(ja3Of(read(old)), "ada70206e40642a3e4461f35503241d5");
  assert.equal(ja3Of(read(bare)), "de350869b8c85de67a350c8d186f11e6");
  assert.equal(ja3Of(read(chrome)), "98487aa16281980e7d1120d399efb6a4");
});

test("JA4 is as published", () => {
  assert.equal(ja4Of(read(chrome)), "t13d1516h2_8daaf6152771_d8a2da3f94cd");
  // The example of FoxIO's description, in whatever order its extensions come.
  const described = {
    ...chrome,
    extensions: [27, 0, 51, 16, 17513, 23, 45, 13, 5, 35, 18, 43, 65281, 11, 10, 21],
  };
  assert.equal(ja4Of(read(described)), "t13d1516h2_8daaf6152771_e5627efa2ab1");
});

test("JA4 of what is not there, or odd", () => {
  assert.equal(ja4Of(read(bare)).slice(0, 10), "t10i110000");
  assert.match(ja4Of(read(bare)), /_000000000000$/);
  const of = (alpn: string): string =>
    ja4Of(read({ ciphers: [1], extensions: [16], alpn })).slice(8, 10);
  assert.equal(of("http/1.1"), "h1");
  assert.equal(of("h"), "hh");
  // Of what is no letter or digit, the first and last digit of its bytes in hexadecimal.
  assert.equal(of("\xab\xcd"), "ad");
  assert.equal(of("\x30\xab"), "3b");
});

test("GREASE changes neither", () => {
  const grease = {
    ...chrome,
    ciphers: [0x2a2a, ...chrome.ciphers],
    extensions: [0x4a4a, ...chrome.extensions, 0xfafa],
    versions: [0x8a8a, ...(chrome.versions ?? [])],
  };
  assert.equal(ja3Of(read(grease)), ja3Of(read(chrome)));
  assert.equal(ja4Of(read(grease)), ja4Of(read(chrome)));
});
