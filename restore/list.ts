import { discText } from './catalog.js';
import { EXIT, type ExitCode } from './failure.js';
import type { Session } from './session.js';
import type { Snapshot } from './snapshots.js';
import { counted, shown, timeText } from './text.js';

/** The command `list`: which discs are in reach, which are not, and the snapshots. */
export function list(session: Session, print: (text: string) => void): ExitCode {
  print(`Repository ${session.keys.repository.toString('hex')}`);
  print('In reach:');
  for (const { folder, disc } of session.folders) {
    print(`  ${shown(folder)}: ${disc === undefined ? 'a repository' : discText(disc)}`);
  }
  const missing = session.missingDiscs();
  if (missing.length > 0) print('Not in reach:');
  for (const disc of missing) print(`  ${discText(disc)}`);
  const { snapshots, unreadable } = session.snapshots();
  print(`${counted(snapshots.length, 'snapshot')}, the oldest first:`);
  for (const snapshot of snapshots) print(`  ${lineOf(snapshot)}`);
  return unreadable.length > 0 ? EXIT.damage : EXIT.done;
}

function lineOf(snapshot: Snapshot): string {
  const { id, seconds, zoneOffset, host, level, paths, tags, comment, isPartial, missing } = snapshot;
  const parts = [
    id.slice(0, 16),
    timeText(seconds, zoneOffset),
    host,
    level,
    paths.map((path) => shown(path)).join(' '),
    ...(tags.length > 0 ? [`[${tags.join(', ')}]`] : []),
    ...(comment === undefined ? [] : [`"${comment}"`]),
    ...(isPartial ? ['(partial)'] : []),
    ...(missing > 0 ? [`(without ${counted(missing, 'file')} that could not be read)`] : []),
  ];
  return shown(parts.join('  '));
}
