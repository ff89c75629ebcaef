import type { DescExtension, DescFile, DescMessage } from "@bufbuild/protobuf";

/** Maps every declaration in some files, and in all that they import, to its file. */
export interface FileIndex {
  byName: ReadonlyMap<string, DescFile>;
  /** By full name: services, methods, messages, fields, enums, extensions. */
  bySymbol: ReadonlyMap<string, DescFile>;
  /** By extended type and field number. */
  byExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

/** Indexes the files for server reflection. */
export function indexFiles(roots: readonly DescFile[]): FileIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, Map<number, DescFile>>();

  function visitExtension(extension: DescExtension, file: DescFile): void {
    bySymbol.set(extension.typeName, file);
    const { typeName } = extension.extendee;
    const numbers = byExtension.get(typeName) ?? new Map<number, DescFile>();
    byExtension.set(typeName, numbers.set(extension.number, file));
  }

  function visitMessage(message: DescMessage, file: DescFile): void {
    bySymbol.set(message.typeName, file);
    for (const { name } of message.fields) bySymbol.set(`${message.typeName}.${name}`, file);
    for (const { typeName } of message.nestedEnums) bySymbol.set(typeName, file);
    for (const extension of message.nestedExtensions) visitExtension(extension, file);
    for (const nested of message.nestedMessages) visitMessage(nested, file);
  }

  function visitFile(file: DescFile): void {
    if (byName.has(file.proto.name)) return;
    byName.set(file.proto.name, file);
    for (const { typeName, methods } of file.services) {
      bySymbol.set(typeName, file);
      for (const { name } of methods) bySymbol.set(`${typeName}.${name}`, file);
    }
    for (const { typeName } of file.enums) bySymbol.set(typeName, file);
    for (const extension of file.extensions) visitExtension(extension, file);
    for (const message of file.messages) visitMessage(message, file);
    for (const dependency of file.dependencies) visitFile(dependency);
  }

  for (const root of roots) visitFile(root);
  return { byName, bySymbol, byExtension };
}
