/**
 * The descriptors, file by file. All of them cost 100 ms and 20 MB to build, what a bootstrap uses
 * about half, and most extensions are only ever named to be refused. So the set is scanned for names,
 * the core is built in one go, and any other file at its first use.
 */
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescFile } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

// Field numbers of google/protobuf/descriptor.proto.
const setFields = { file: 1 } as const;
const fileFields = {
  name: 1,
  package: 2,
  dependency: 3,
  message: 4,
  enum: 5,
  service: 6,
  extension: 7,
} as const;
const messageFields = { name: 1, nested: 3, enum: 4, extension: 6 } as const;

export class DescriptorFiles {
  /** In the order of the set: a file comes after its imports. */
  readonly #bytesOf = new Map<string, Uint8Array>();
  readonly #fileOf = new Map<string, string>();
  readonly #built = new Map<string, DescFile>();

  /**
   * `descriptorSet` is a google.protobuf.FileDescriptorSet with its imports; throws if it is not.
   * The files of the types in `core` are built at once.
   */
  constructor(descriptorSet: Uint8Array, core: readonly string[]) {
    for (const [, file] of contentsOf(descriptorSet, [setFields.file])) {
      const name = nameIn(file);
      this.#bytesOf.set(name, file);
      for (const typeName of typeNames(file)) this.#fileOf.set(typeName, name);
    }
    this.#buildAll(core.flatMap((typeName) => this.#fileOf.get(typeName) ?? []));
  }

  /** The file that defines a message, enum, service or extension. */
  fileOf(typeName: string): DescFile | undefined {
    const name = this.#fileOf.get(typeName);
    return name === undefined ? undefined : this.#build(name);
  }

  /** The name of the file that defines a type or a service. */
  fileNameOf(typeName: string): string | undefined {
    return this.#fileOf.get(typeName);
  }

  /** A google.protobuf.FileDescriptorProto, by the file's name. */
  bytesOf(name: string): Uint8Array | undefined {
    return this.#bytesOf.get(name);
  }

  /** One registry for many files: a registry of its own per file would be quadratic in imports. */
  #buildAll(names: readonly string[]): void {
    const wanted = new Set(names);
    for (const name of wanted)
      for (const [, imported] of contentsOf(this.#bytesOf.get(name), [fileFields.dependency]))
        wanted.add(text(imported));
    const file = [...this.#bytesOf]
      .filter(([name]) => wanted.has(name))
      .map(([, bytes]) => fromBinary(FileDescriptorProtoSchema, bytes));
    const set = create(FileDescriptorSetSchema, { file });
    for (const built of createFileRegistry(set).files) this.#built.set(fileName(built), built);
  }

  #build(name: string): DescFile | undefined {
    const built = this.#built.get(name);
    if (built) return built;
    const bytes = this.#bytesOf.get(name);
    if (!bytes) return undefined;
    const proto = fromBinary(FileDescriptorProtoSchema, bytes);
    const file = createFileRegistry(proto, (imported) => this.#build(imported)).getFile(name);
    if (file) this.#built.set(name, file);
    return file;
  }
}

/** `DescFile.name` leaves the suffix off. */
const fileName = (file: DescFile): string => `${file.name}.proto`;

/** Relies on the order of fields in a serialised descriptor: the package comes before the types. */
function* typeNames(file: Uint8Array): Generator<string> {
  const { package: packageField, message, enum: enumField, service, extension } = fileFields;
  let prefix = "";
  const fields = [packageField, message, enumField, service, extension];
  for (const [number, bytes] of contentsOf(file, fields)) {
    if (number === packageField) prefix = `${text(bytes)}.`;
    else if (number === message) yield* namesInMessage(bytes, prefix);
    else yield prefix + nameIn(bytes);
  }
}

function* namesInMessage(message: Uint8Array, prefix: string): Generator<string> {
  const { name: nameField, nested, enum: enumField, extension } = messageFields;
  let name = prefix;
  for (const [number, bytes] of contentsOf(message, [nameField, nested, enumField, extension])) {
    if (number === nameField) yield (name = prefix + text(bytes));
    else if (number === nested) yield* namesInMessage(bytes, `${name}.`);
    else yield `${name}.${nameIn(bytes)}`;
  }
}

/** All kinds of descriptor have their name in field 1, first of all. */
function nameIn(bytes: Uint8Array): string {
  const [first] = contentsOf(bytes, [1]);
  return first ? text(first[1]) : "";
}

const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");

/** The contents of some length-delimited fields, in the order they occur. */
function* contentsOf(
  bytes: Uint8Array | undefined,
  fields: readonly number[],
): Generator<readonly [field: number, content: Uint8Array]> {
  if (!bytes) return;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const isWanted = wireType === WireType.LengthDelimited && fields.includes(number);
    if (isWanted) yield [number, reader.bytes()];
    else reader.skip(wireType, number);
  }
}
