import { InvalidArgumentError } from 'commander';
import { CbrError } from '../core/index.js';
import { displayPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import { type ContentShare, sharesByFolder, sharesByType } from '../snapshot/index.js';
import type { CommandContext, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { fittedTable, type Squeeze } from './fitted-table.js';
import { noteIfLacking } from './partial-text.js';
import { rawField } from './raw-names.js';
import { countOf, countText, sizeText } from './sizes.js';
import { chosenSnapshot, wantedOf } from './snapshot-choice.js';
import type { StatsRequest } from './stats-snapshots.js';
import type { Column } from './table.js';

/** How the files of a snapshot are spread over types, or over folders. */

const KINDS = ['type', 'folder'] as const;
export type ShareKind = (typeof KINDS)[number];

/** A parser for commander. */
export function parseShareKind(text: string): ShareKind {
  const kind = KINDS.find((each) => each === text);
  if (kind !== undefined) return kind;
  throw new InvalidArgumentError(`One of ${KINDS.join(', ')} is expected.`);
}

const NUMBERS: readonly Column[] = [
  { title: 'Size', align: 'right' },
  { title: 'Share', align: 'right' },
  { title: 'Files', align: 'right' },
];

const squeezesOf = (title: string): readonly Squeeze[] => [
  { title, least: 16, cut: 'front' },
  { title: 'Files', drop: true },
  { title: 'Share', drop: true },
  { title, least: 6, cut: 'front' },
];

export interface SharesRequest {
  readonly by: ShareKind;
  readonly depth: number;
  /** How many are shown. */
  readonly top: number;
}

/** Rejects with `usage` unless one snapshot is named. */
export async function showShares(
  { output, signal }: CommandContext,
  repository: Repository,
  { names, choice }: StatsRequest,
  { by, depth, top }: SharesRequest,
): Promise<Outcome> {
  if (names.length > 1) {
    throw new CbrError('usage', '--by looks at one snapshot', { hint: 'Name one, such as latest.' });
  }
  const wanted = wantedOf(names[0], choice);
  const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
  noteIfLacking(output, snapshot, wanted.path);
  const found =
    by === 'type'
      ? await sharesByType(repository, snapshot, wanted.path, signal)
      : await sharesByFolder(repository, snapshot, wanted.path, depth, signal);
  const shown = found.shares.slice(0, top);
  const title = by === 'type' ? 'Type' : 'Folder';
  const nameOf = ({ name }: ContentShare): string =>
    by === 'folder' ? folderText(name, found.base) : name === '' ? '(none)' : name;
  const rows = shown.map((share) => [
    sizeText(share.bytes),
    shareText(share.bytes, found.bytes),
    countText(share.files),
    nameOf(share),
  ]);
  const columns = [...NUMBERS, { title }];
  const [titles, ...lines] = fittedTable(columns, rows, output.width, squeezesOf(title));
  if (rows.length > 0) output.line(titles);
  for (const [i, share] of shown.entries()) {
    output.item(fieldsOf(share, by, found.base, found.bytes), () => lines[i]!);
  }
  const more = found.shares.length - shown.length;
  if (more > 0) output.line(`and ${countText(more)} smaller ones`);
  output.line(`${sizeText(found.bytes)} in ${countOf(found.files, 'file')}`);
  const { base, files, bytes, unlisted } = found;
  return {
    exitCode: EXIT.done,
    summary: {
      snapshot: snapshot.id,
      ...rawField('path', base),
      files,
      bytes,
      shares: found.shares.length,
      ...(unlisted.files === 0 ? {} : { unlisted }),
    },
  };
}

function shareText(bytes: number, all: number): string {
  return all === 0 ? '-' : `${((100 * bytes) / all).toFixed(1)} %`;
}

/** What lies in the base itself is no folder of its own. */
function folderText(folder: string, base: string): string {
  return folder === base ? `${displayPath(base)} (files in it)` : displayPath(folder);
}

function fieldsOf(
  { name, files, bytes }: ContentShare,
  by: ShareKind,
  base: string,
  all: number,
): Readonly<Record<string, unknown>> {
  const share = all === 0 ? 0 : bytes / all;
  if (by === 'type') return { extension: name, files, bytes, share };
  return { ...rawField('path', name), ...(name === base ? { direct: true } : {}), files, bytes, share };
}
