import { setTimeout } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { isAlive, type SessionId } from '../core/index.js';
import type { PendingSession, PruneSummary, PruneTiming, Repository, UnusedLimit } from '../repo/index.js';
import { pruneRepository } from '../snapshot/index.js';
import type { CommandContext, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { percentage } from './parse-number.js';
import { displayText } from './raw-names.js';
import { countOf, parseSize, sizeText } from './sizes.js';
import { fromMilliseconds, isoTime, timeText } from './times.js';
import { periodText, removableText } from './waiting-period.js';

/** One prune, for the commands that end with one. */

export interface PruneFlags {
  readonly maxUnused?: UnusedLimit;
  readonly maxRepack?: number;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly acceptVanished?: boolean;
}

/** As much waste as nobody notices, so that little has to be rewritten. */
const USUAL_UNUSED: UnusedLimit = { fraction: 0.05 };

/** Writers give a sign of life every ten seconds; sixty missed ones are no accident of a network. */
const TIME_TO_LIVE_MS = 600_000;

const TIMING: PruneTiming = Object.freeze({
  clock: () => performance.now(),
  sleep: async (milliseconds: number, signal: AbortSignal) => {
    await setTimeout(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
  },
  timeToLiveMs: TIME_TO_LIVE_MS,
  pollMs: 500,
  heartbeatMs: 10_000,
});

/** The options that every command takes which prunes. */
export function declarePruneLimits(command: Command): void {
  command
    .option(
      '--max-unused <limit>',
      'how much may stay that nothing uses: 5%, a size such as 5GiB, 0, unlimited (default: 5%)',
      parseUnused,
    )
    .option('--max-repack <size>', 'rewrite packs of this size in all at most', parseSize)
    .option('--wait', 'wait for running snapshots and prunes');
}

/** `5%`, `0`, `10GiB`, `unlimited`; a number alone could be percent or bytes, and is refused. */
export function parseUnused(text: string): UnusedLimit {
  if (text === 'unlimited') return { fraction: 1 };
  if (/^0+%?$/.test(text)) return { bytes: 0 };
  if (/^[0-9]+(\.[0-9]+)?$/.test(text.trim())) {
    throw new InvalidArgumentError(`${text} what? Give 5% or a size such as 5MiB.`);
  }
  try {
    return text.endsWith('%') ? { fraction: percentage(text) / 100 } : { bytes: parseSize(text) };
  } catch {
    throw new InvalidArgumentError('A percentage, a size or unlimited is expected, such as 5%, 0 or 10GiB.');
  }
}

const ON_DISCS =
  'Nothing was changed: what is on discs stays there. "cbr disc consolidate" puts what is still needed on new ones.';

/** Prunes, and says what was done. Exit code 0 also when something had to be left to the next prune. */
export async function runPrune(
  { options, output, signal }: CommandContext,
  repository: Repository,
  { maxUnused = USUAL_UNUSED, maxRepack, wait = false, dryRun = false, acceptVanished = false }: PruneFlags,
  /** Of a dry run: snapshots that would be forgotten before. */
  without: ReadonlySet<SessionId> = new Set(),
): Promise<Outcome> {
  // What is on discs stays there, whatever is removed: it can only be told.
  const isOnDiscs = repository.backend.capabilities.frees === false;
  const request: Parameters<typeof pruneRepository>[1] = {
    maxUnused,
    ...(maxRepack === undefined ? {} : { maxRepackBytes: maxRepack }),
    wait,
    dryRun: dryRun || isOnDiscs,
    without,
    acceptVanished,
    signal,
    timing: TIMING,
    examine: (process) => isAlive(process, repository.identity),
    onProgress: ({ step, done, total }) => {
      output.progress({
        type: 'progress',
        phase: 'prune',
        files: done,
        totalFiles: total,
        bytes: 0,
        current: step,
      });
    },
  };
  const summary = await pruneRepository(repository, request, options.threads);
  for (const line of summaryLines(summary, repository.waitingMs)) output.line(line);
  if (isOnDiscs) output.line(ON_DISCS);
  for (const session of summary.pending) {
    output.problem({
      severity: 'note',
      about: 'repository',
      code: 'pending',
      reason: `${sessionText(session)} has to end first; the next prune goes on${
        repository.waitingMs === undefined ? ', or this one waits with --wait' : ''
      }`,
    });
  }
  return { exitCode: EXIT.done, summary: summaryFields(summary) };
}

export function sessionText({ session, host, pid, started }: PendingSession): string {
  const process = pid === undefined ? [] : [`process ${pid}`];
  const where = host === undefined ? [] : [`on ${displayText(host)}`];
  const since = started === undefined ? [] : [`begun ${timeText({ seconds: started, nanoseconds: 0 })}`];
  const about = [[...process, ...where].join(' '), ...since].filter((text) => text !== '').join(', ');
  return `session ${session.slice(0, 8)}${about === '' ? '' : ` (${about})`}`;
}

/** What a prune did, for people; `waitingMs`: on a store that silently overwrites. */
export function summaryLines(summary: PruneSummary, waitingMs: number | undefined): string[] {
  const { removableAt, condemned, tookTooLongMs } = summary;
  if (waitingMs === undefined || summary.state === 'planned') return doneLines(summary);
  const what = `${countOf(condemned.packs, 'pack')} (${sizeText(condemned.bytes)})`;
  if (tookTooLongMs !== undefined) {
    return [
      `Nothing was removed: this prune took ${periodText(tookTooLongMs)}, more than half of the waiting period of ` +
        `${periodText(waitingMs)}, and what it saw at its beginning may have changed.`,
      `${what} stay. Prune again: what was copied is not copied again. If it takes as long again, give it less to do ` +
        '(--max-repack), run it nearer to the store, or wait longer: cbr doctor --waiting-period',
    ];
  }
  const later =
    removableAt === undefined
      ? []
      : [
          `${what} can go at the earliest ${removableText(removableAt)}: prune again then. ` +
            `The store overwrites silently, so what is to go waits ${periodText(waitingMs)}.`,
        ];
  return summary.state === 'swept'
    ? [...doneLines(summary), ...later]
    : ['Nothing was removed yet.', ...later];
}

function doneLines(summary: PruneSummary): string[] {
  const { state, packsRemoved, packsRewritten, bytesFreed, bytesAdded, bytesKept, bytesUnused } = summary;
  const removed = countOf(packsRemoved, 'pack');
  const rewritten = countOf(packsRewritten, 'pack');
  const part = bytesKept === 0 ? 0 : (100 * bytesUnused) / bytesKept;
  const stays = `${sizeText(bytesKept)} stay, ${part.toFixed(1)} % of it unused.`;
  if (state === 'planned') {
    return [
      `Would remove ${removed} and rewrite ${rewritten}: ${netText(bytesFreed - bytesAdded)} stored.`,
      stays.replace(' stay', ' would stay'),
    ];
  }
  if (state === 'pending') {
    const { packs, bytes } = summary.condemned;
    return [
      `Nothing was removed yet: ${countOf(packs, 'pack')} (${sizeText(bytes)}) can go when the snapshots that run have ended.`,
    ];
  }
  return [
    `Removed ${removed} and rewrote ${rewritten}: ${netText(bytesFreed - bytesAdded)} stored ` +
      `(${sizeText(bytesFreed)} removed, ${sizeText(bytesAdded)} written).`,
    stays,
  ];
}

function netText(freed: number): string {
  return `${sizeText(Math.abs(freed))} ${freed < 0 ? 'more' : 'less'}`;
}

function summaryFields(summary: PruneSummary): Readonly<Record<string, unknown>> {
  const { state, epoch, pending, snapshots } = summary;
  return {
    state,
    epoch,
    pending: pending.map(({ session, host, pid, started }) => ({ session, host, pid, started })),
    snapshots,
    ...(summary.removableAt === undefined
      ? {}
      : { removableAt: isoTime(fromMilliseconds(summary.removableAt)) }),
    ...(summary.tookTooLongMs === undefined ? {} : { tookTooLong: Math.round(summary.tookTooLongMs / 1000) }),
    condemned: summary.condemned,
    packs: { removed: summary.packsRemoved, rewritten: summary.packsRewritten, added: summary.packsAdded },
    segments: { removed: summary.segmentsRemoved, added: summary.segmentsAdded },
    bytes: {
      freed: summary.bytesFreed,
      added: summary.bytesAdded,
      kept: summary.bytesKept,
      unused: summary.bytesUnused,
    },
  };
}
