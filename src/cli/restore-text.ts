import { resolve } from 'node:path';
import type { RestoreOptions, RestoreSummary } from '../snapshot/index.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { Output } from './output.js';
import { countOf, countText, sizeText } from './sizes.js';
import { labelled } from './table.js';
import { spanText } from './times.js';

/** The exit code of a restore that came to its end. */
export function restoreExitCode({ lost, undeleted, missingRoom }: RestoreSummary): ExitCode {
  if (lost > 0) return EXIT.damage;
  return undeleted > 0 || missingRoom > 0 ? EXIT.failed : EXIT.done;
}

/** The last words of a restore, for people. */
export function printRestoreSummary(
  output: Output,
  options: RestoreOptions,
  summary: RestoreSummary,
  seconds: number,
): void {
  const { files, others, folders, replaced, unchanged, bytes, skippedExisting, lost, verified } = summary;
  const { metadataProblems, deleted, undeleted, stripped } = summary;
  const would = options.dryRun ? 'Would ' : '';
  const verb = (word: string): string => (options.dryRun ? `${would}${word}` : sentence(`${word}d`));
  const rows: [string, string][] = [
    ['Snapshot', options.snapshot.id],
    ['Target', resolve(options.target)],
    [
      verb('restore'),
      `${countOf(files + others, 'file')} in ${countOf(folders, 'folder')}, ${sizeText(bytes)}`,
    ],
  ];
  if (replaced > 0) rows.push([verb('replace'), `${countText(replaced)} of them took the place of another`]);
  if (unchanged > 0) rows.push(['Unchanged', `${countText(unchanged)} were right already`]);
  if (skippedExisting > 0) rows.push(['Existed', `${countText(skippedExisting)}, left alone`]);
  if (deleted > 0) rows.push([verb('delete'), `${countText(deleted)} that the snapshot does not have`]);
  if (undeleted > 0) rows.push(['Not deleted', `${countText(undeleted)} that could not be`]);
  if (stripped > 0) rows.push(['Left out', `${countText(stripped)}: nothing is left of their paths`]);
  if (lost > 0) rows.push(['Lost', `${countOf(lost, 'file')} could not be restored whole`]);
  if (metadataProblems > 0) rows.push(['Metadata', `${countText(metadataProblems)} could not be set`]);
  if (verified !== undefined) rows.push(['Verified', `${countOf(verified, 'file')} found right`]);
  rows.push(['Time', spanText(seconds)]);
  for (const line of labelled(rows)) output.line(line);
  output.repeatProblems();
}

function sentence(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** The summary for programs (docs/json.md). */
export function restoreSummaryFields(
  options: RestoreOptions,
  summary: RestoreSummary,
): Readonly<Record<string, unknown>> {
  const { files, others, folders, replaced, unchanged, bytes, skippedExisting, lost, verified } = summary;
  const { metadataProblems, deleted, undeleted, stripped, missingRoom } = summary;
  return {
    snapshot: options.snapshot.id,
    target: resolve(options.target),
    files: {
      restored: files + others,
      replaced,
      unchanged,
      skipped: skippedExisting,
      stripped,
      failed: lost,
      verified,
    },
    folders,
    bytes: { restored: bytes, ...(missingRoom > 0 ? { missing: missingRoom } : {}) },
    metadataProblems,
    ...(options.confirmDeletions === undefined ? {} : { deleted, undeleted }),
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}
