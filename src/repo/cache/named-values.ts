import type { Database, Table } from './database.js';
import { checked, textKey, unchecked } from './layout.js';

/**
 * Small values under text names, each in a namespace. A value that is found damaged does not exist, and the cache is
 * rebuilt when it is opened next.
 */
export class NamedValues {
  constructor(
    private readonly database: Pick<Database<object>, 'transact' | 'noteDamage'>,
    private readonly table: Table<Buffer>,
  ) {}

  put(namespace: string, name: string, value: Uint8Array): void {
    const key = textKey(namespace, name);
    this.database.transact(() => this.table.put(key, checked(key, value)));
  }

  /** A copy of the value. */
  get(namespace: string, name: string): Buffer | undefined {
    const key = textKey(namespace, name);
    const stored = this.table.get(key);
    if (stored === undefined) return undefined;
    const value = unchecked(key, stored);
    if (value === undefined) this.database.noteDamage();
    return value;
  }

  remove(namespace: string, name: string): void {
    this.database.transact(() => this.table.remove(textKey(namespace, name)));
  }

  /** All names of a namespace, sorted by their bytes. */
  names(namespace: string): string[] {
    const start = textKey(namespace, '');
    const names: string[] = [];
    for (const key of this.table.keys(start)) {
      const bytes = Buffer.from(key);
      if (!bytes.subarray(0, start.length).equals(start)) break;
      names.push(bytes.toString('utf8', start.length));
    }
    return names;
  }
}
