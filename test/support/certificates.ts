import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface TestCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

export interface IssueOptions {
  /** Below 0: expired so many days ago. */
  readonly days?: number;
  /** P-256 unless told otherwise. */
  readonly key?: "ec" | "rsa" | "weakRsa";
  /** The common name; default `leaf`. */
  readonly name?: string;
  /** More lines of OpenSSL's, `basicConstraints=CA:TRUE`. */
  readonly extensions?: readonly string[];
}

/** A certificate authority of the test's own, which lives as long as its folder. */
export class TestAuthority implements Disposable {
  /** PEM. */
  readonly certificate: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-ca-"));

  /** `own`: its certificate, by another authority; default: it signs its own. */
  constructor(name = "test CA", own?: TestCertificate) {
    if (own) {
      writeFileSync(path.join(this.#folder, "ca.pem"), own.certificate);
      writeFileSync(path.join(this.#folder, "ca.key"), own.privateKey);
    } else
      this.#openssl(
        ["req", "-x509", ...newKeys.ec, "-keyout", "ca.key", "-out", "ca.pem"],
        ["-days", "2", "-subj", `/CN=${name}`],
      );
    this.certificate = this.#read("ca.pem");
  }

  /** Of a server or a client; `names` as OpenSSL writes them: `DNS:a.test`, `IP:127.0.0.1`, `URI:spiffe://a`. */
  issue(names: readonly string[], options: IssueOptions = {}): TestCertificate {
    const { days = 2, key = "ec", name = "leaf", extensions = [] } = options;
    const lines = names.length > 0 ? [`subjectAltName=${names.join(",")}`] : [];
    writeFileSync(path.join(this.#folder, "names"), [...lines, ...extensions, ""].join("\n"));
    this.#openssl(
      ["req", ...newKeys[key], "-keyout", "leaf.key", "-out", "leaf.csr"],
      ["-subj", `/CN=${name}`],
    );
    this.#openssl(
      ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ["-out", "leaf.pem", "-days", String(days), "-extfile", "names"],
    );
    return { certificate: this.#read("leaf.pem"), privateKey: this.#read("leaf.key") };
  }

  /** An authority below this one; it shows its own certificate alone. */
  issueAuthority(): TestAuthority {
    const extensions = [
      "basicConstraints=critical,CA:TRUE",
      "keyUsage=critical,keyCertSign,cRLSign",
    ];
    return new TestAuthority("", this.issue([], { name: "intermediate CA", extensions }));
  }

  /** A list of what is revoked, PEM; those given are on it. */
  revocationList(revoked: readonly TestCertificate[]): string {
    const serials = revoked.map(({ certificate }) => new X509Certificate(certificate).serialNumber);
    const lines = serials.map(
      (serial) => `R\t991231235959Z\t250101000000Z\t${serial}\tx\t/CN=leaf\n`,
    );
    writeFileSync(path.join(this.#folder, "index.txt"), lines.join(""));
    writeFileSync(
      path.join(this.#folder, "ca.conf"),
      "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 2\n",
    );
    this.#openssl(
      ["ca", "-gencrl", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key"],
      ["-out", "crl.pem"],
    );
    return this.#read("crl.pem");
  }

  /** An OCSP response that calls the certificate good for a day, DER. */
  vouch({ certificate }: TestCertificate): Buffer {
    const { serialNumber } = new X509Certificate(certificate);
    const line = `V\t991231235959Z\t\t${serialNumber}\tx\t/CN=leaf\n`;
    writeFileSync(path.join(this.#folder, "index.txt"), line);
    writeFileSync(path.join(this.#folder, "asked.pem"), certificate);
    const ask = ["-issuer", "ca.pem", "-cert", "asked.pem", "-no_nonce", "-reqout", "ocsp.req"];
    this.#openssl(["ocsp"], ask);
    this.#openssl(
      ["ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key"],
      ["-reqin", "ocsp.req", "-respout", "ocsp.der", "-ndays", "1"],
    );
    return readFileSync(path.join(this.#folder, "ocsp.der"));
  }

  /** The key behind a password, PEM. */
  encrypt({ privateKey }: TestCertificate, password: string): string {
    writeFileSync(path.join(this.#folder, "plain.key"), privateKey);
    this.#openssl(
      ["pkey", "-in", "plain.key", "-aes256", "-passout", `pass:${password}`],
      ["-out", "encrypted.key"],
    );
    return this.#read("encrypted.key");
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(...args: readonly (readonly string[])[]): void {
    execFileSync("openssl", args.flat(), {
      cwd: this.#folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  #read(name: string): string {
    return readFileSync(path.join(this.#folder, name), "utf8");
  }
}

const newKeys = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
  rsa: ["-newkey", "rsa:2048", "-nodes"],
  weakRsa: ["-newkey", "rsa:1024", "-nodes"],
} as const;
