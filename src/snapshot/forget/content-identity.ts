import { createHash } from 'node:crypto';
import { encodeAbout, type Snapshot } from '../snapshot-record.js';

/**
 * The same for a snapshot and for one that brings it back, whose record differs in its author alone: root and all that was
 * said when it was taken, but tags and comment, which notes change. No two that were taken have it in common: the nanosecond,
 * the parent and how long it took would have to agree.
 */
export function contentIdentity({ root, about }: Pick<Snapshot, 'root' | 'about'>): string {
  const { comment: _, ...rest } = about;
  return createHash('sha256')
    .update(Buffer.from(root.id, 'latin1'))
    .update(encodeAbout({ ...rest, tags: [] }))
    .digest('base64');
}
