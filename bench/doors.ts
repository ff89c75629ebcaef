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
