/** Where bytes of a configuration come from: `envoy.config.core.v3.DataSource`, still unread. Whoever needs them reads them. */
export type DataSource =
  | { readonly kind: "inline"; readonly bytes: Buffer }
  | {
      readonly kind: "file";
      readonly path: string;
      /** Watched for moves in place of the file's own folder. */
      readonly watchedDirectory: string | undefined;
    }
  | { readonly kind: "environment"; readonly name: string };
