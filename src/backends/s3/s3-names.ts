import { isObjectName, type ObjectKind, objectPath } from '../backend.js';
import { checkedObjectPath } from '../object-name.js';

/** The key of an object in the bucket. Rejects with BackendError a name that cbr does not make (B9). */
export function keyOf(prefix: string, kind: ObjectKind, name: string): string {
  return `${prefix}${checkedObjectPath(kind, name)}`;
}

/** The name of the object with that key; undefined for what is none of `kind`. */
export function nameOf(prefix: string, kind: ObjectKind, key: string): string | undefined {
  const start = `${prefix}${kind}/`;
  if (!key.startsWith(start)) return undefined;
  const rest = key.slice(start.length);
  const name = kind === 'packs' ? rest.slice(rest.indexOf('/') + 1) : rest;
  return isObjectName(name) && `${prefix}${objectPath(kind, name)}` === key ? name : undefined;
}
