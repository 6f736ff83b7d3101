/** TLS of clients, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { forEachProxy, type StartProxy } from "../../support/each-proxy.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { refusalOf, securedConnection, securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, trusts, underTls } from "../../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority("another CA");
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const a = authority.issue(["DNS:a.test", "URI:spiffe://td/a"]);
const wild = authority.issue(["DNS:*.b.test"]);
const client = authority.issue(["DNS:client.test", "URI:spiffe://td/client"]);
const strange = stranger.issue(["DNS:client.test"]);

interface Served {
  readonly proxy: ProxyProcess;
  readonly port: number;
  /** Of the listener. */
  readonly stat: (name: string) => Promise<number>;
}

interface ListenerPlan {
  readonly socket: object;
  /** More of its connection manager, and of its chain. */
  readonly manager?: object;
  readonly chain?: object;
}

/** Listeners by their names, and behind them what says which headers it got. */
async function serveAll(
  start: StartProxy,
  open: AsyncDisposableStack,
  plans: Readonly<Record<string, ListenerPlan>>,
  flags: readonly string[] = [],
): Promise<{ readonly proxy: ProxyProcess; readonly ports: ReadonlyMap<string, number> }> {
  const upstream = createServer((request, response) =>
    response.end(JSON.stringify({ ...request.headers, url: request.url })),
  );
  open.defer(() => upstream.close().closeAllConnections());
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const listeners = Object.entries(plans).map(([name, { socket, manager, chain }]) => ({
    ...underTls(httpListener(name, { route_config: routesTo("up"), ...manager }), socket, chain),
    stat_prefix: name,
  }));
  const clusters = [staticCluster("up", upstreamPort)];
  const proxy = await start(
    { admin: adminOnPortZero, static_resources: { listeners, clusters } },
    flags,
  );
  const ports = await until(async () => {
    const bound = await proxy.listenerPorts();
    return bound.size === listeners.length && bound;
  }, "it serves");
  return { proxy, ports };
}

/** One, called `web`. */
async function serve(
  start: StartProxy,
  open: AsyncDisposableStack,
  socket: object,
  { flags, ...plan }: Omit<ListenerPlan, "socket"> & { readonly flags?: readonly string[] } = {},
): Promise<Served> {
  const { proxy, ports } = await serveAll(start, open, { web: { socket, ...plan } }, flags);
  const port = ports.get("web") ?? 0;
  return { proxy, port, stat: (name) => proxy.stat(`listener.web.${name}`) };
}

const plainServer = serverSocket({ tls_certificates: [inlinePair(a)] });

forEachProxy("a listener serves by TLS", async (start, open, isNode) => {
  const { proxy, port, stat } = await serve(start, open, plainServer);
  const { status, body, session } = await securedGet(port, { servername: "a.test" });
  assert.equal(status, 200);
  assert.equal((JSON.parse(body) as Record<string, string>)["x-forwarded-proto"], "https");
  assert.deepEqual([session.version, session.isResumed], ["TLSv1.3", false]);
  const old = await securedGet(port, { maxVersion: "TLSv1.2" });
  assert.deepEqual([old.status, old.session.version], [200, "TLSv1.2"]);
  assert.equal(await stat("ssl.handshake"), 2);
  assert.equal(await stat("ssl.versions.TLSv1.3"), 1);
  assert.equal(await stat("ssl.versions.TLSv1.2"), 1);
  assert.equal(await stat(`ssl.ciphers.${session.cipher}`), 1);
  // Node's TLS does not say which curve it was.
  const curves = (await stat("ssl.curves.X25519")) + (await stat("ssl.curves.X25519MLKEM768"));
  assert.equal(curves, isNode ? 0 : 2);
  assert.equal(await stat("ssl.no_certificate"), 2);
  assert.equal(await stat("ssl.connection_error"), 0);
  assert.equal(await proxy.stat("http.web.downstream_cx_ssl_total"), 2);
  await until(
    async () => (await proxy.stat("http.web.downstream_cx_ssl_active")) === 0,
    "the gauge falls",
  );
});

forEachProxy(
  "a certificate is chosen by name, and the first serves the rest",
  async (start, open) => {
    const { port } = await serve(
      start,
      open,
      serverSocket({ tls_certificates: [inlinePair(a), inlinePair(wild)] }),
    );
    const serialFor = async (servername?: string): Promise<string | undefined> =>
      (await securedGet(port, servername === undefined ? {} : { servername })).session.serial;
    const first = await serialFor("a.test");
    const second = await serialFor("x.b.test");
    assert.notEqual(first, second);
    assert.equal(await serialFor(), first);
    assert.equal(await serialFor("other.test"), first);
    assert.equal(await serialFor("x.y.b.test"), first);
  },
);

forEachProxy("a protocol is agreed on, or none", async (start, open, isNode) => {
  const socket = serverSocket({
    tls_certificates: [inlinePair(a)],
    alpn_protocols: ["http/1.1"],
  });
  const { port } = await serve(start, open, socket);
  const agreed = async (ALPNProtocols: string[]): Promise<unknown> => {
    const connection = await securedConnection(port, { ALPNProtocols });
    const { alpnProtocol } = connection;
    connection.destroy();
    return alpnProtocol;
  };
  assert.equal(await agreed(["h2", "http/1.1"]), "http/1.1");
  // Node's TLS ends a handshake where no protocol is common.
  if (!isNode) assert.equal(await agreed(["nothing-known"]), false);
});

forEachProxy("clients are asked for a certificate, and held to the rules", async (start, open) => {
  const validation = trusts(authority, {
    match_typed_subject_alt_names: [{ san_type: "URI", matcher: { prefix: "spiffe://td/" } }],
  });
  const { port, stat } = await serve(
    start,
    open,
    serverSocket(
      { tls_certificates: [inlinePair(a)], validation_context: validation },
      { require_client_certificate: true },
    ),
    {
      manager: {
        forward_client_cert_details: "SANITIZE_SET",
        set_current_client_cert_details: { subject: true, uri: true, dns: true },
      },
    },
  );
  const own = { cert: client.certificate, key: client.privateKey };
  const { body, status } = await securedGet(port, own);
  assert.equal(status, 200);
  const said = (JSON.parse(body) as Record<string, string>)["x-forwarded-client-cert"];
  assert.match(
    said ?? "",
    /^By=spiffe:\/\/td\/a;Hash=[0-9a-f]{64};Subject="CN=leaf";URI=spiffe:\/\/td\/client;DNS=client\.test$/,
  );
  assert.doesNotMatch(await refusalOf(port), /answer/);
  assert.equal(await stat("ssl.fail_verify_no_cert"), 1);
  const other = { cert: strange.certificate, key: strange.privateKey };
  assert.doesNotMatch(await refusalOf(port, other), /answer/);
  assert.equal(await stat("ssl.fail_verify_error"), 1);
  const unnamed = { cert: wild.certificate, key: wild.privateKey };
  assert.doesNotMatch(await refusalOf(port, unnamed), /answer/);
  assert.equal(await stat("ssl.fail_verify_san"), 1);
  assert.equal(await stat("ssl.connection_error"), 0);
  assert.equal(await stat("ssl.handshake"), 1);
});

forEachProxy("the forms of x-forwarded-client-cert", async (start, open) => {
  const expectations = {
    SANITIZE: [undefined, undefined],
    FORWARD_ONLY: [undefined, "By=before"],
    ALWAYS_FORWARD_ONLY: ["By=before", "By=before"],
    APPEND_FORWARD: [undefined, "By=before,By=spiffe://td/a;Hash="],
    SANITIZE_SET: [undefined, "By=spiffe://td/a;Hash="],
  } as const;
  const socket = serverSocket({
    tls_certificates: [inlinePair(a)],
    validation_context: trusts(authority),
  });
  const plans = Object.keys(expectations).map((form): [string, ListenerPlan] => [
    form,
    { socket, manager: { forward_client_cert_details: form } },
  ]);
  const { ports } = await serveAll(start, open, Object.fromEntries(plans));
  for (const [form, [without, having]] of Object.entries(expectations)) {
    const port = ports.get(form) ?? 0;
    const headers = { "x-forwarded-client-cert": "By=before" };
    const said = async (own: object): Promise<string | undefined> => {
      const { body } = await securedGet(port, { headers, ...own });
      const got = JSON.parse(body) as Record<string, string | undefined>;
      return got["x-forwarded-client-cert"]?.replace(/Hash=[0-9a-f]{64}/, "Hash=");
    };
    assert.equal(await said({}), without, `${form} without a certificate`);
    const own = { cert: client.certificate, key: client.privateKey };
    assert.equal(await said(own), having, `${form} with one`);
  }
});

forEachProxy("who does not speak TLS is closed and counted", async (start, open) => {
  const { proxy, port, stat } = await serve(start, open, plainServer);
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
  await ended(socket);
  assert.equal(await stat("ssl.connection_error"), 1);
  assert.equal(await stat("ssl.handshake"), 0);
  assert.equal(await proxy.stat("http.web.downstream_rq_total"), 0);
  const gone = connect(port, "127.0.0.1");
  await once(gone, "connect");
  gone.destroy();
  await until(async () => (await stat("downstream_cx_active")) === 0, "it is gone");
  assert.equal(await stat("ssl.connection_error"), 1);
  assert.equal((await securedGet(port)).status, 200);
});

forEachProxy("a handshake that does not come is given up", async (start, open) => {
  const { port, stat } = await serve(start, open, plainServer, {
    chain: { transport_socket_connect_timeout: "0.2s" },
  });
  const socket = connect(port, "127.0.0.1");
  await ended(socket);
  assert.equal(await stat("downstream_cx_transport_socket_connect_timeout"), 1);
  const kept = await securedConnection(port);
  assert.equal((await securedGet(port)).status, 200);
  assert.equal(await stat("downstream_cx_transport_socket_connect_timeout"), 1);
  kept.destroy();
});

forEachProxy("sessions are resumed, by whichever worker", async (start, open) => {
  const { port, stat } = await serve(start, open, plainServer, { flags: ["--concurrency", "2"] });
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const before = await stat("ssl.session_reused");
    const first = await securedConnection(port, { maxVersion });
    const ticket =
      maxVersion === "TLSv1.2"
        ? first.getSession()
        : ((await once(first, "session")) as [Buffer])[0];
    assert(ticket);
    const isResumed: boolean[] = [];
    for (let round = 0; round < 8; round++) {
      const { session } = await securedGet(port, { maxVersion, session: ticket });
      isResumed.push(session.isResumed);
    }
    first.destroy();
    assert(isResumed.every(Boolean), `${maxVersion}: ${isResumed.join()}`);
    assert.equal((await stat("ssl.session_reused")) - before, 8);
  }
});

forEachProxy("certificates are shown with their end", async (start, open) => {
  const { proxy, stat } = await serve(
    start,
    open,
    serverSocket({ tls_certificates: [inlinePair(a)], validation_context: trusts(authority) }),
  );
  const { certificates } = JSON.parse(await proxy.admin("/certs")) as {
    certificates: { ca_cert: Shown[]; cert_chain: Shown[] }[];
  };
  const [shown] = certificates;
  assert.deepEqual(shown?.cert_chain[0]?.subject_alt_names, [
    { dns: "a.test" },
    { uri: "spiffe://td/a" },
  ]);
  assert.equal(shown.cert_chain[0].path, "<inline>");
  assert.equal(shown.cert_chain[0].days_until_expiration, "1");
  assert.match(shown.cert_chain[0].serial_number, /^[0-9a-f]+$/);
  assert.match(shown.cert_chain[0].expiration_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(shown.ca_cert.length, 1);
  const end = Date.parse(shown.cert_chain[0].expiration_time) / 1000;
  assert.equal(
    await stat("ssl.certificate.unnamed_cert_e3b0c442.expiration_unix_time_seconds"),
    end,
  );
  assert.equal(await proxy.stat("server.days_until_first_cert_expiring"), 1);
  assert.doesNotMatch(await proxy.admin("/config_dump"), /PRIVATE KEY/);
});

/** However it ends. */
function ended(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

interface Shown {
  readonly path: string;
  readonly serial_number: string;
  readonly subject_alt_names: readonly object[];
  readonly days_until_expiration: string;
  readonly expiration_time: string;
}
