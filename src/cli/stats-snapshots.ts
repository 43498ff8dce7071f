import { DamagedError } from '../core/index.js';
import { displayPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import {
  type Footprint,
  filterSnapshots,
  type ListedSnapshots,
  listSnapshots,
  measureSnapshots,
  type Snapshot,
  type SnapshotChoice,
} from '../snapshot/index.js';
import type { CommandContext, Outcome } from './command.js';
import { tellDamaged } from './damaged-records.js';
import { shownBy } from './events.js';
import { EXIT } from './exit-codes.js';
import { fittedTable, type Squeeze } from './fitted-table.js';
import { displayText, rawListField } from './raw-names.js';
import { shortestUnique } from './short-ids.js';
import { countOf, countText, sizeText } from './sizes.js';
import { chosenSnapshots } from './snapshot-choice.js';
import { compressedText, deduplicatedText, ratio } from './stats-text.js';
import { type Column, labelled } from './table.js';
import { isoTime, timeText } from './times.js';

/** What snapshots take, together and one by one. */

export interface StatsRequest {
  readonly names: readonly string[];
  readonly choice: SnapshotChoice;
  /** Whether to tell what would be free without them. */
  readonly free: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'Time' },
  { title: 'Host' },
  { title: 'Size', align: 'right' },
  { title: 'Free', align: 'right' },
  { title: 'Paths' },
];

const SQUEEZES: readonly Squeeze[] = [
  { title: 'Paths', least: 16, cut: 'front' },
  { title: 'Time', least: 16, cut: 'clip' },
  { title: 'Host', least: 10, cut: 'end' },
  { title: 'Paths', drop: true },
  { title: 'Host', drop: true },
  { title: 'Time', least: 10, cut: 'clip' },
  { title: 'Size', drop: true },
  { title: 'Time', drop: true },
];

async function meantBy(
  repository: Repository,
  { names, choice }: StatsRequest,
  { snapshots }: ListedSnapshots,
): Promise<readonly Snapshot[]> {
  if (isNamed({ names, choice })) return chosenSnapshots(repository, names, choice);
  return filterSnapshots(snapshots, choice);
}

/** Otherwise all count that pass a filter, and those that cannot be opened may be among them. */
function isNamed({ names, choice }: Pick<StatsRequest, 'names' | 'choice'>): boolean {
  return names.length > 0 || choice.at !== undefined;
}

export async function showTogether(
  context: CommandContext,
  repository: Repository,
  request: StatsRequest,
): Promise<Outcome> {
  const { output, signal } = context;
  const listed = await listSnapshots(repository);
  const chosen = await meantBy(repository, request, listed);
  const options = { signal, listener: shownBy(output, 'repository') };
  const [all] = await measureSnapshots(repository, [chosen], options);
  const source = chosen.reduce((sum, { about }) => sum + about.statistics.sourceBytes, 0);
  const { chunks, contentBytes, storedBytes, treeBytes } = all!;
  const rows: [string, string][] = [
    [
      'Snapshots',
      `${countText(chosen.length)}, ${sizeText(source)} of files in ${chosen.length === 1 ? 'it' : 'all of them'}`,
    ],
    ['Content', deduplicatedText(contentBytes, source)],
    ['Stored', compressedText(storedBytes, contentBytes)],
    ['Chunks', countText(chunks)],
  ];
  let free: Footprint | undefined;
  if (request.free) {
    const others = othersThan(chosen, listed);
    [free] = await measureSnapshots(repository, [chosen, others], options);
    rows.push(['Free', `${freeText(free!)}, if ${chosen.length === 1 ? 'it' : 'they'} were forgotten`]);
  }
  for (const line of labelled(rows)) output.line(line);
  return {
    exitCode: isNamed(request) ? EXIT.done : tellDamaged(output, listed),
    summary: {
      snapshots: chosen.length,
      chunks,
      bytes: { source, unique: contentBytes, stored: storedBytes, trees: treeBytes },
      deduplication: ratio(source, contentBytes),
      compression: ratio(contentBytes, storedBytes),
      ...(free === undefined ? {} : { free: freeFields(free) }),
    },
  };
}

export async function showEach(
  { output, signal }: CommandContext,
  repository: Repository,
  request: StatsRequest,
): Promise<Outcome> {
  const listed = await listSnapshots(repository);
  const chosen = await meantBy(repository, request, listed);
  const groups = [...chosen.map((each) => [each]), othersThan(chosen, listed)];
  const options = { signal, listener: shownBy(output, 'repository') };
  const measured = await measureSnapshots(repository, groups, options);
  const digits = shortestUnique([...listed.snapshots, ...listed.damaged].map(({ id }) => id));
  const rows = chosen.map((each, i) => rowOf(each, measured[i]!, digits));
  const [titles, ...lines] = fittedTable(COLUMNS, rows, output.width, SQUEEZES);
  if (chosen.length > 0) output.line(titles);
  for (const [i, snapshot] of chosen.entries())
    output.item(eachFields(snapshot, measured[i]!), () => lines[i]!);
  output.line(
    `${countOf(chosen.length, 'snapshot')}; what several share is free when all of those are forgotten.`,
  );
  return { exitCode: EXIT.done, summary: { snapshots: chosen.length } };
}

/** Those that keep what they share with the chosen ones. Rejects when a record cannot be opened: it may be one of them. */
function othersThan(chosen: readonly Snapshot[], { snapshots, damaged }: ListedSnapshots): Snapshot[] {
  const [lost] = damaged;
  if (lost !== undefined) {
    throw new DamagedError(
      `snapshots/${lost.id}`,
      'cannot be opened, so nobody can tell what would be free without it',
      { cause: lost.error, hint: 'Run: cbr check' },
    );
  }
  const ids = new Set(chosen.map(({ id }) => id));
  return snapshots.filter(({ id }) => !ids.has(id));
}

function freeText({ storedBytes, contentBytes }: Footprint): string {
  return `${sizeText(storedBytes)} (${sizeText(contentBytes)} of content)`;
}

function freeFields({ contentBytes, storedBytes }: Footprint): Readonly<Record<string, number>> {
  return { content: contentBytes, stored: storedBytes };
}

function rowOf({ id, about }: Snapshot, free: Footprint, digits: number): string[] {
  return [
    id.slice(0, digits),
    timeText(about),
    displayText(about.host),
    sizeText(about.statistics.sourceBytes),
    sizeText(free.storedBytes),
    about.paths.map(displayPath).join(' '),
  ];
}

function eachFields({ id, about }: Snapshot, free: Footprint): Readonly<Record<string, unknown>> {
  return {
    snapshot: id,
    time: isoTime(about, about.zoneOffset),
    host: about.host,
    ...rawListField('paths', about.paths),
    bytes: about.statistics.sourceBytes,
    free: freeFields(free),
  };
}
