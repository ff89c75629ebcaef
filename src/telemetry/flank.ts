/** Tells when something that works ceases to, and when it works again: each is worth one line, however often it is used. */
export function createFlank() {
  let works = true;
  return {
    changes(ok: boolean): boolean {
      const changed = ok !== works;
      works = ok;
      return changed;
    },
  };
}
