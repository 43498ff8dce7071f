import { CbrError } from '../core/index.js';
import type { FitItem } from '../disc/index.js';
import { readJsonFile } from './json-file.js';

/** Things of given sizes told in a JSON file: `[{"name", "size"}]`, sizes in bytes. */

/** Reads a file, or standard input for `-`. Rejects with `usage`, which names the file, the item and what is wrong with it. */
export async function readFitItems(file: string): Promise<FitItem[]> {
  const { name, value } = await readJsonFile(file, malformed);
  if (!Array.isArray(value)) throw malformed(name, 'is no JSON array of items');
  const names = new Set<string>();
  return value.map((each: unknown, i) => {
    const item = itemOf(each, `${name}: item ${i + 1}`);
    if (names.has(item.name)) throw malformed(`${name}: item ${i + 1}`, 'has the same name as one before');
    names.add(item.name);
    return item;
  });
}

function itemOf(value: unknown, where: string): FitItem {
  const { name, size } = (value ?? {}) as { readonly name?: unknown; readonly size?: unknown };
  if (typeof name !== 'string' || name === '') throw malformed(where, 'has no name');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(where, 'has no size: a whole number of bytes');
  }
  return { name, size };
}

function malformed(where: string, what: string): CbrError {
  return new CbrError('usage', `${where} ${what}`, {
    hint: 'Give a JSON array such as [{"name": "a", "size": 4096}].',
  });
}
