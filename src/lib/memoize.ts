/** A value that may be replaced while the process runs, such as keys from a file: call it each time, keep nothing of it. */
export type Reloadable<T> = () => T;

/** Memoizes `derive(source())` until `source` returns a different object. */
export function mapReloadable<S extends object, T>(
  source: Reloadable<S>,
  derive: (value: S) => T,
): Reloadable<T> {
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

/** Memoizes `make` per object, for as long as the object lives. */
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
