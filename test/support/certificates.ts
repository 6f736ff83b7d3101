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

/** A certificate authority of the test's own, which lives as long as its folder. */
export class TestAuthority implements Disposable {
  /** PEM. */
  readonly certificate: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "sluice-ca-"));

  constructor(name = "test CA") {
    this.#openssl(
      ["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem"],
      ["-days", "2", "-subj", `/CN=${name}`],
    );
    this.certificate = this.#read("ca.pem");
  }

  /** Of a server or a client; `names` as OpenSSL writes them: `DNS:a.test`, `IP:127.0.0.1`, `URI:spiffe://a`. */
  /** `days` below 0: expired so many days ago. */
  issue(names: readonly string[], days = 2): TestCertificate {
    writeFileSync(path.join(this.#folder, "names"), `subjectAltName=${names.join(",")}\n`);
    this.#openssl([
      "req",
      ...newKey,
      "-keyout",
      "leaf.key",
      "-out",
      "leaf.csr",
      "-subj",
      "/CN=leaf",
    ]);
    this.#openssl(
      ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ["-out", "leaf.pem", "-days", String(days), "-extfile", "names"],
    );
    return { certificate: this.#read("leaf.pem"), privateKey: this.#read("leaf.key") };
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

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
