import { isObjectName, OBJECT_KINDS, type ObjectKind, objectPath } from '../backends/index.js';

/** The object that a file of a disc is; undefined for other files. */
export function objectAt(path: string): { readonly kind: ObjectKind; readonly name: string } | undefined {
  const [first, ...rest] = path.split('/');
  const kind = OBJECT_KINDS.find((each) => each === first);
  if (kind === undefined) return undefined;
  const name = (kind === 'packs' ? rest.slice(1) : rest).join('/');
  return isObjectName(name) && objectPath(kind, name) === path ? { kind, name } : undefined;
}
