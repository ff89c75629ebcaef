/**
 * What `derive` makes of what `source` returns, made again only when that is another object: for values that may be
 * replaced while the process runs, such as keys that were read again from a file.
 */
export function mapReloadable<S extends object, T>(source: () => S, derive: (source: S) => T): () => T {
  let of: S | undefined;
  let value: T;
  return () => {
    const now = source();
    if (now !== of) {
      value = derive(now);
      of = now;
    }
    return value;
  };
}

/** What `make` makes of an object, made once for each and forgotten with it. */
export function memoizePerObject<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}
