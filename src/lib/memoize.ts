/** A value that may be replaced while the process runs, such as keys from a file: call it each time, never cache its value. */
export type Reloadable<T> = () => T;

/** Memoizes `derive(source())` until `source` returns a different object. */
export function mapReloadable<S extends object, T>(
  source: Reloadable<S>,
  derive: (value: S) => T,
): Reloadable<T> {
  let derivedFrom: S | undefined;
  let value: T;
  return () => {
    const current = source();
    if (current !== derivedFrom) {
      value = derive(current);
      derivedFrom = current;
    }
    return value;
  };
}

/** Memoizes `make` per object, for as long as the object lives. */
export function memoizePerObject<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const cached = known.get(key);
    if (cached !== undefined) return cached;
    const made = make(key);
    known.set(key, made);
    return made;
  };
}
