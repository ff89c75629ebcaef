/** Entries on a page, if the caller does not say, and at most. */
const PAGE_SIZE = 50;
const MOST_PAGE_SIZE = 1_000;

/** A page of a list, and its last entry if another page follows, which begins after it (AIP-158). */
export interface Page<T> {
  entries: T[];
  last: T | undefined;
}

/** Reads a page of `pageSize` entries, 0 for the default, with a `list` that gives at most as many as it is asked for. */
export async function readPage<T>(pageSize: number, list: (size: number) => Promise<T[]>): Promise<Page<T>> {
  const size = Math.min(pageSize || PAGE_SIZE, MOST_PAGE_SIZE);
  // One more than fits shows whether there is another page.
  const found = await list(size + 1);
  const entries = found.slice(0, size);
  return { entries, last: found.length > size ? entries.at(-1) : undefined };
}
