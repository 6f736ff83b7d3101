import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** What every proxy shows: one certificate of each kind of key, so that the client chooses. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
  /** Both in one file, as HAProxy wants them. */
  readonly combined: string;
}

const keys = { rsa: ["rsa:2048"], ecdsa: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] } as const;
export type KeyKind = keyof typeof keys;

/** RSA-2048 and ECDSA P-256, made with the first call for a folder. */
export function serverCertificates(folder: string): readonly ServerCertificate[] {
  return (Object.keys(keys) as KeyKind[]).map((kind) => {
    const file = path.join(folder, `bench.${kind}`);
    const files = { certificate: `${file}.crt`, key: `${file}.key`, combined: `${file}.pem` };
    if (!existsSync(files.combined)) make(kind, files);
    return files;
  });
}

function make(kind: KeyKind, { certificate, key, combined }: ServerCertificate): void {
  const names = ["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench"];
  const files = ["-keyout", key, "-out", certificate];
  const args = ["req", "-x509", "-newkey", ...keys[kind], "-nodes", "-days", "2"];
  execFileSync("openssl", [...args, ...names, ...files], { stdio: "pipe" });
  writeFileSync(combined, `${readFileSync(certificate, "utf8")}${readFileSync(key, "utf8")}`);
}
