import { asBuffer } from '../../core/index.js';

/** POSIX ACLs, which Linux keeps as binary attributes, in the text that tar archives hold. */

const VERSION = 2;
const ENTRY_BYTES = 8;
const TAGS: Readonly<Record<number, 'user' | 'group' | 'mask' | 'other'>> = {
  1: 'user',
  2: 'user',
  4: 'group',
  8: 'group',
  16: 'mask',
  32: 'other',
};
/** Tags of named users and groups: their entries have an id. */
const NAMED: ReadonlySet<number> = new Set([2, 8]);

/** One entry a line, ids as numbers; undefined for what is no such ACL. */
export function aclText(value: Uint8Array): string | undefined {
  const bytes = asBuffer(value);
  if (bytes.length < 4 || (bytes.length - 4) % ENTRY_BYTES !== 0) return undefined;
  if (bytes.readUInt32LE(0) !== VERSION) return undefined;
  let text = '';
  for (let at = 4; at < bytes.length; at += ENTRY_BYTES) {
    const tag = bytes.readUInt16LE(at);
    const mode = bytes.readUInt16LE(at + 2);
    const word = TAGS[tag];
    if (word === undefined || mode > 7) return undefined;
    const id = NAMED.has(tag) ? String(bytes.readUInt32LE(at + 4)) : '';
    text += `${word}:${id}:${mode & 4 ? 'r' : '-'}${mode & 2 ? 'w' : '-'}${mode & 1 ? 'x' : '-'}\n`;
  }
  return text;
}
