import { BackendError } from '../core/index.js';
import { isObjectName, type ObjectKind, objectPath } from './backend.js';

/**
 * The path of an object below the root, for names that may come from damaged or forged records: anything but a name that
 * cbr makes (B9) rejects with BackendError before a medium sees it.
 */
export function checkedObjectPath(kind: ObjectKind, name: string): string {
  if (!isObjectName(name) || (kind === 'packs' && name.includes('/'))) {
    throw new BackendError(`${JSON.stringify(name)} is not a name of an object of kind ${kind}`, false);
  }
  return objectPath(kind, name);
}
