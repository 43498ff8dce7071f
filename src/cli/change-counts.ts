import type { Change } from '../snapshot/index.js';
import { countOf, countText, sizeText } from './sizes.js';

/** How many changes of one kind of entry there are. */
interface Counts {
  added: number;
  removed: number;
  changed: number;
  moved: number;
  metadata: number;
}

const none = (): Counts => ({ added: 0, removed: 0, changed: 0, moved: 0, metadata: 0 });

/** Counts changes for the summary of `cbr diff`. */
export class ChangeCounts {
  private readonly files = none();
  private readonly folders = none();
  private readonly others = none();
  private readonly bytes = { added: 0, removed: 0 };
  total = 0;

  add({ kind, type, sizeBefore = 0, sizeAfter = 0 }: Change): void {
    this.total++;
    const counts = type === 'file' ? this.files : type === 'directory' ? this.folders : this.others;
    counts[kind === 'content' || kind === 'type' ? 'changed' : kind]++;
    if (kind === 'metadata' || kind === 'moved') return;
    this.bytes.added += sizeAfter;
    this.bytes.removed += sizeBefore;
  }

  /** The fields of docs/json.md. */
  fields(): Readonly<Record<string, unknown>> {
    const { files, folders, others, bytes } = this;
    return { files, folders, others, bytes };
  }

  /** Rows for people; what did not change is left out. */
  rows(): readonly (readonly [string, string])[] {
    const { added, removed } = this.bytes;
    const rows = [
      ['Files', countsText(this.files)],
      ['Folders', countsText(this.folders)],
      ['Others', countsText(this.others)],
      ['Size', added + removed === 0 ? '' : `${sizeText(added)} added, ${sizeText(removed)} removed`],
    ] as const;
    const told = rows.filter(([, text]) => text !== '');
    return told.length === 0 ? [['Changes', 'none']] : told;
  }
}

function countsText({ added, removed, changed, moved, metadata }: Counts): string {
  const parts = [
    [added, 'added'],
    [removed, 'removed'],
    [changed, 'changed'],
    [moved, 'moved'],
  ] as const;
  return [
    ...parts.filter(([count]) => count > 0).map(([count, word]) => `${countText(count)} ${word}`),
    ...(metadata === 0 ? [] : [`${countOf(metadata, 'change')} of metadata alone`]),
  ].join(', ');
}
