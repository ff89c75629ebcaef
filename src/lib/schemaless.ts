function refuse(): never {
  throw new Error("no route here has a JSON schema");
}

/**
 * For Fastify's `schemaController`. Without it, every start loads Ajv and its like, over a hundred files, to compile the
 * schemas of routes; none of ours has one.
 */
export const SCHEMALESS = { compilersFactory: { buildValidator: refuse, buildSerializer: refuse } } as const;
