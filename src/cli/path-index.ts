import type { Repository } from '../repo/index.js';
import { type ListedSnapshots, openPathIndex, type PathIndex, type Snapshot } from '../snapshot/index.js';
import type { CommandContext } from './command.js';
import { tellDamaged } from './damaged-records.js';
import { countOf, sizeText } from './sizes.js';
import { spanText, timeText } from './times.js';

/** What a command that looked into the path index says of it in its summary. */
export interface PathIndexUse {
  readonly isWhole: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Brings the path index up to date for some snapshots and lets `use` look into it. What cannot be taken in is a problem, as is
 * a record that cannot be opened: then the index is not whole.
 */
export async function withPathIndex(
  { output, signal }: CommandContext,
  repository: Repository,
  listed: ListedSnapshots,
  wanted: readonly Snapshot[],
  use: (index: PathIndex) => void,
): Promise<PathIndexUse> {
  const started = performance.now();
  const onProgress = output.showsProgress ? output.progress.bind(output) : undefined;
  const { index, report } = await openPathIndex(repository, listed, wanted, { signal, onProgress });
  try {
    const seconds = Math.round(performance.now() - started) / 1000;
    const { paths, events } = index.counts;
    if (report.added > 0 && output.isVerbose) {
      const took = `took in ${countOf(report.added, 'snapshot')} in ${spanText(seconds)}`;
      const size = `grew by ${sizeText(report.grown)} to ${sizeText(index.bytes)}`;
      const holds = `${countOf(paths, 'path')}, ${countOf(events, 'change')}`;
      output.remark(`The path index ${took} and ${size} (${holds}).`);
    }
    reportFailures(output, listed, report.failed);
    use(index);
    const { added, grown } = report;
    return {
      isWhole: report.failed.length === 0 && listed.damaged.length === 0,
      fields: { pathIndex: { added, seconds, grown, bytes: index.bytes, paths, changes: events } },
    };
  } finally {
    await index.close();
  }
}

function reportFailures(
  output: CommandContext['output'],
  listed: ListedSnapshots,
  failed: readonly {
    readonly snapshot: Snapshot;
    readonly error: ListedSnapshots['damaged'][number]['error'];
  }[],
): void {
  tellDamaged(output, listed);
  for (const { snapshot, error } of failed) {
    const which = `snapshot ${snapshot.id.slice(0, 12)} of ${timeText(snapshot.about)}`;
    output.problem({
      ...{ severity: 'error', about: 'repository', code: error.code },
      reason: `${which} was not searched: ${error.message}`,
      hint: error.hint ?? 'Run: cbr check',
    });
  }
}
