import type { Content, Entry } from '../entry.js';

/** Whether two entries are of one type and have the same content, as far as they say: chunks, target or device number. */
export function hasSameContent(a: Entry, b: Entry): boolean {
  return (
    a.type === b.type &&
    a.size === b.size &&
    a.linkTarget === b.linkTarget &&
    a.device?.major === b.device?.major &&
    a.device?.minor === b.device?.minor &&
    isSame(a.content, b.content)
  );
}

function isSame(a: Content | undefined, b: Content | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'list')
    return b.kind === 'list' && a.root.id === b.root.id && a.root.length === b.root.length;
  if (b.kind === 'list' || a.items.length !== b.items.length) return false;
  return a.items.every((item, i) => {
    const other = b.items[i]!;
    if (item.id === undefined) return other.id === undefined && item.hole === other.hole;
    return item.id === other.id && item.length === other.length;
  });
}
