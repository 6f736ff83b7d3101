/** What the tests use of `hpack.js`, which has no types of its own. */
declare module "hpack.js" {
  interface Field {
    readonly name: string;
    readonly value: string;
    /** Of what is written: false is "not into the table", and "no Huffman". */
    readonly incremental?: boolean;
    readonly huffman?: boolean;
  }
  interface Compressor {
    write(fields: readonly Field[]): void;
    read(): Buffer | null;
    updateTableSize(size: number): void;
    reset(): void;
  }
  interface Decompressor {
    write(block: Uint8Array): void;
    /** Throws nothing: errors go to the callback, or are emitted. */
    execute(): void;
    read(): Field | null;
    once(event: "error", listener: (error: Error) => void): void;
  }
  interface Options {
    readonly table: { readonly maxSize: number };
  }
  const hpack: {
    readonly compressor: { create(options: Options): Compressor };
    readonly decompressor: { create(options: Options): Decompressor };
  };
  export = hpack;
}
