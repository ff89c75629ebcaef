/** Every way a call comes in, and what it asks for. */
export const DOORS = [
  "form GetFaceParams",
  "form GetResult",
  "json GetFaceParams",
  "json GetResult",
  "grpc GetFaceParams",
  "grpc GetResult",
] as const;
export type Door = (typeof DOORS)[number];

/** The options of the command that chose these doors: none for all of them. */
export const doorOptions = (doors: readonly Door[]): string =>
  doors.length < DOORS.length ? doors.map((door) => ` --door "${door}"`).join("") : "";
