/**
 * What Envoy makes of `Http1ProtocolOptions`, on either side of the proxy: the same table runs against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient } from "../support/http-peers.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, routesTo, staticCluster } from "../support/truth-resources.ts";

const formatter = (fields: object = {}): object => ({
  header_key_format: {
    stateful_formatter: {
      name: "preserve_case",
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
        ...fields,
      },
    },
  },
});
const proper = { header_key_format: { proper_case_words: {} } };
const preserving = { ...formatter(), enable_trailers: true };

/** `http_protocol_options` of listeners, and of clusters. */
const ofListeners: Readonly<Record<string, object>> = {
  plain: {},
  proper,
  preserving,
  "preserving, others proper": formatter({ formatter_type_on_envoy_headers: "PROPER_CASE" }),
  "custom methods": { allow_custom_methods: true },
  "both lengths": { allow_chunked_length: true },
  "stays open": { override_stream_error_on_invalid_http_message: true },
  "ignores web…": { ignore_http_11_upgrade: [{ prefix: "web" }] },
};
const ofClusters: Readonly<Record<string, object>> = {
  plain: {},
  proper,
  preserving,
  "full URL": { send_fully_qualified_url: true },
  "both lengths": { allow_chunked_length: true },
};

const answers: Readonly<Record<string, string>> = {
  "/named": "200 OK\r\nX-A_B: c-d\r\nETag: e\r\nx-a_b: f\r\ncontent-length: 2\r\n\r\nok",
  "/both":
    "200 OK\r\ncontent-length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Last: 1\r\n\r\n",
};
const answerTo = (path: string): string =>
  `HTTP/1.1 ${answers[path] ?? "200 OK\r\ncontent-length: 2\r\n\r\nok"}`;

interface Case {
  readonly listener?: string;
  readonly cluster?: string;
  /** Its Host field is put behind the first line. */
  readonly request: string;
  readonly isHostless?: boolean;
  /** One after the other in what the host saw, and in what the client did. */
  readonly seen?: readonly RegExp[];
  readonly answered: readonly RegExp[];
  /** A second request is on the same connection: it is answered, or the connection ends. */
  readonly second: "answered" | "cut";
}

const cases: Readonly<Record<string, Case>> = {
  "names in lower case": {
    request: "POST /named HTTP/1.1\r\nX-Foo: 1\r\nCONTENT-Length: 2\r\n\r\nhi",
    seen: [/\r\nhost: a\r\nx-foo: 1\r\ncontent-length: 2\r\n/],
    answered: [/\r\nx-a_b: c-d\r\netag: e\r\nx-a_b: f\r\n/],
    second: "answered",
  },
  "proper names to clients": {
    listener: "proper",
    request: "GET /named HTTP/1.1\r\n\r\n",
    answered: [
      /\r\nX-A_B: c-d\r\nEtag: e\r\nX-A_B: f\r\nContent-Length: 2\r\n/,
      /\r\nX-Envoy-Upstream-Service-Time: \d+\r\n/,
      /\r\nServer: envoy\r\n/,
    ],
    second: "answered",
  },
  "proper names to hosts": {
    cluster: "proper",
    request:
      "POST /a:b HTTP/1.1\r\nx-foo_bar-1st: Va-lue: x\r\nTE: trailers\r\ncontent-length: 2\r\n\r\nhi",
    seen: [
      /^POST \/a:b HTTP\/1\.1\r\nHost: a\r\nX-Foo_Bar-1st: Va-lue: x\r\n/,
      /\r\nX-Envoy-Expected-Rq-Timeout-Ms: 15000\r\n\r\nhi$/,
    ],
    answered: [/\r\ncontent-length: 2\r\n/],
    second: "answered",
  },
  "names as clients spell them": {
    listener: "preserving",
    request:
      "POST / HTTP/1.1\r\nX-FoO: 1\r\nx-foo: 2\r\nx-lower: 3\r\nTrAnsfer-encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\nX-TraIler: 2\r\n\r\n",
    seen: [
      /\r\nHoST: a\r\nX-FoO: 1\r\nX-FoO: 2\r\nx-lower: 3\r\n/,
      /\r\nTrAnsfer-encoding: chunked\r\n\r\n/,
    ],
    answered: [/\r\ncontent-length: 2\r\n/],
    second: "answered",
  },
  "names as clients spell them, others proper": {
    listener: "preserving, others proper",
    request: "GET / HTTP/1.1\r\nX-FoO: 1\r\nx-lower: 2\r\n\r\n",
    seen: [/\r\nX-FoO: 1\r\nx-lower: 2\r\nX-Forwarded-Proto: http\r\n/],
    answered: [/\r\ncontent-length: 2\r\n/],
    second: "answered",
  },
  "names as hosts spell them": {
    cluster: "preserving",
    request: "GET /named HTTP/1.1\r\nX-Foo: 1\r\n\r\n",
    seen: [/\r\nx-foo: 1\r\n/],
    answered: [/\r\nX-A_B: c-d\r\nETag: e\r\nX-A_B: f\r\ncontent-length: 2\r\n/],
    second: "answered",
  },
  "names of a host outrank the listener's wish": {
    listener: "proper",
    cluster: "preserving",
    request: "GET /named HTTP/1.1\r\n\r\n",
    answered: [/\r\nETag: e\r\n/, /\r\ncontent-length: 2\r\n/],
    second: "answered",
  },
  "an answer of the proxy's own has no host's names": {
    listener: "preserving",
    cluster: "preserving",
    request: "OPTIONS * HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 404 Not Found\r\n(?:[a-z-]+: [^\r]*\r\n)+\r\n/],
    second: "answered",
  },
  "a full URL": {
    cluster: "full URL",
    request: "GET /x?y=1 HTTP/1.1\r\n\r\n",
    seen: [/^GET http:\/\/a\/x\?y=1 HTTP\/1\.1\r\nhost: a\r\n/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "a full URL by the scheme that a proxy before us says": {
    cluster: "full URL",
    request: "GET /x HTTP/1.1\r\nx-forwarded-proto: https\r\n\r\n",
    seen: [/^GET https:\/\/a\/x HTTP\/1\.1\r\n/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "a full URL of a full URL": {
    cluster: "full URL",
    request: "POST https://b.test/x HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
    seen: [/^POST https:\/\/b\.test\/x HTTP\/1\.1\r\nhost: b\.test\r\n/, /\r\n\r\nhi$/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "a method that nobody knows": {
    request: "FOO / HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 [^]*\r\nconnection: close\r\n[^]*Bad Request$/],
    second: "cut",
  },
  "a custom method": {
    listener: "custom methods",
    request: "FOO / HTTP/1.1\r\n\r\n",
    seen: [/^FOO \/ HTTP\/1\.1\r\n[^]*\r\ncontent-length: 0\r\n/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "a custom method that looks like another": {
    listener: "custom methods",
    request: "get / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
    seen: [/^get \/ HTTP\/1\.1\r\n[^]*\r\n\r\nhi$/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "a custom method as long as CONNECT and HEAD begin": {
    listener: "custom methods",
    request: "CANCELS /both HTTP/1.1\r\n\r\n",
    cluster: "both lengths",
    seen: [/^CANCELS \/both HTTP\/1\.1\r\n/],
    answered: [/\r\n\r\n2\r\nok\r\n0\r\n\r\n$/],
    second: "answered",
  },
  "a custom method that is none": {
    listener: "custom methods",
    request: "F[O / HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /],
    second: "cut",
  },
  "both lengths of a request": {
    request:
      "POST / HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /],
    second: "cut",
  },
  "both lengths of a request, where they may be": {
    listener: "both lengths",
    request:
      "POST / HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    seen: [/^POST \/ HTTP\/1\.1\r\n(?!.*content-length)[^]*\r\n\r\n2\r\nhi\r\n0\r\n\r\n$/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "two lengths and chunks": {
    listener: "both lengths",
    request:
      "POST / HTTP/1.1\r\ncontent-length: 9\r\ncontent-length: 8\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /],
    second: "cut",
  },
  "both lengths of an answer": {
    request: "GET /both HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 502 [^]*reset reason: protocol error$/],
    second: "answered",
  },
  "both lengths of an answer, where they may be": {
    cluster: "both lengths",
    request: "GET /both HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 200 OK\r\n(?!.*content-length)[^]*\r\n\r\n2\r\nok\r\n0\r\n\r\n$/],
    second: "answered",
  },
  "no Host": {
    request: "GET / HTTP/1.1\r\n\r\n",
    isHostless: true,
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/],
    second: "cut",
  },
  "no Host, and the connection stays": {
    listener: "stays open",
    request: "GET / HTTP/1.1\r\n\r\n",
    isHostless: true,
    answered: [/^HTTP\/1\.1 400 [^]*\r\ncontent-length: 0\r\n/],
    second: "answered",
  },
  "no Host, and a body that has not come": {
    listener: "stays open",
    request: "POST / HTTP/1.1\r\ncontent-length: 400\r\n\r\n",
    isHostless: true,
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/],
    second: "cut",
  },
  "Host taken away": {
    request: "GET / HTTP/1.1\r\nConnection: host\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/, /\r\ncontent-length: 0\r\n/],
    second: "cut",
  },
  "the client's address taken away": {
    listener: "stays open",
    request: "GET / HTTP/1.1\r\nConnection: x-forwarded-for\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/],
    second: "cut",
  },
  "a fragment": {
    request: "GET /a#b HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/, /\r\ncontent-length: 0\r\n/],
    second: "cut",
  },
  "a fragment, and the connection stays": {
    listener: "stays open",
    request: "GET /a#b HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 [^]*\r\ncontent-length: 0\r\n/],
    second: "answered",
  },
  "what cannot be read": {
    listener: "stays open",
    request: "GET / HTTP/1.1\r\nx: a\x01b\r\n\r\n",
    answered: [/^HTTP\/1\.1 400 /, /\r\nconnection: close\r\n/],
    second: "cut",
  },
  "HTTP/1.0": {
    listener: "stays open",
    request: "GET / HTTP/1.0\r\n\r\n",
    answered: [/^HTTP\/1\.1 426 /],
    second: "cut",
  },
  "no path": {
    request: "OPTIONS * HTTP/1.1\r\n\r\n",
    answered: [/^HTTP\/1\.1 404 /],
    second: "answered",
  },
  "an upgrade that nobody may have": {
    request: "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    answered: [/^HTTP\/1\.1 403 /],
    second: "cut",
  },
  "an upgrade that is ignored": {
    listener: "ignores web…",
    request: "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    seen: [/^GET \/ HTTP\/1\.1\r\n(?!.*(?:upgrade|connection):)/],
    answered: [/^HTTP\/1\.1 200/],
    second: "answered",
  },
  "an upgrade of which a part is ignored": {
    listener: "ignores web…",
    request: "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: foo, websocket\r\n\r\n",
    answered: [/^HTTP\/1\.1 403 /],
    second: "cut",
  },
  "an upgrade in another case": {
    listener: "ignores web…",
    request: "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n",
    answered: [/^HTTP\/1\.1 403 /],
    second: "cut",
  },
};

const secondRequest = "GET /second HTTP/1.1\r\nhost: a\r\n\r\n";
const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const ofCluster = (http1: object): object => ({
  typed_extension_protocol_options: {
    [options]: {
      "@type": `type.googleapis.com/${options}`,
      explicit_http_config: { http_protocol_options: http1 },
    },
  },
});

forEachProxy("HTTP/1 is spoken as its options say", async (start, scope) => {
  const received = { text: "" };
  const host = scope.use(
    await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => {
        const text = part.toString("latin1");
        received.text += text;
        const [, path] =
          /^[A-Za-z]+ (?:\S*:\/\/[^/]*)?(\/[^ ?]*)\S* HTTP\/1\.1\r\n/.exec(text) ?? [];
        if (path !== undefined) socket.write(answerTo(path), "latin1");
      });
    }),
  );
  const clusters = Object.entries(ofClusters).map(([name, http1]) =>
    staticCluster(name, host.port, ofCluster(http1)),
  );
  const listeners = Object.entries(ofListeners).flatMap(([name, http_protocol_options]) =>
    Object.keys(ofClusters).map((cluster) =>
      httpListener(`${name}/${cluster}`, {
        http_protocol_options,
        route_config: routesTo(cluster),
      }),
    ),
  );
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  for (const [name, each] of Object.entries(cases)) {
    received.text = "";
    const { listener = "plain", cluster = "plain", isHostless = false, request } = each;
    const client = new HttpClient(ports.get(`${listener}/${cluster}`) ?? 0);
    client.send(isHostless ? request : request.replace("\r\n", "\r\nHoST: a\r\n"));
    await client.response();
    const answer = client.received.toString("latin1");
    const seen = received.text;
    for (const wanted of each.answered) assert.match(answer, wanted, `${name}: the answer`);
    for (const wanted of each.seen ?? []) assert.match(seen, wanted, `${name}: what the host saw`);
    if (each.seen === undefined && /^HTTP\/1\.1 [345]/.test(answer) && !answer.includes("502"))
      assert.equal(seen, "", `${name}: nothing reached the host`);
    client.send(secondRequest);
    await client.until(
      () => client.rest.includes("\r\n\r\nok") || client.hasEnded || client.hasClosed,
    );
    const isAnswered = client.rest.includes("\r\n\r\nok");
    assert.equal(isAnswered ? "answered" : "cut", each.second, `${name}: a second request`);
    client.socket.destroy();
  }
});
