import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { type Backend, MemoryBackend, parseLocation, withTraffic } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import {
  type MirrorOptions,
  type MirrorReport,
  mirror as mirrorStore,
  openOrMakeStore,
  openStore,
} from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { damageProblem } from '../object-problems.js';
import { objectProgress } from '../object-progress.js';
import { wholeNumber } from '../parse-number.js';
import type { Problem } from '../problem.js';
import { openOptions, requireLocation } from '../repository.js';
import { countOf, sizeText } from '../sizes.js';
import { withStore } from '../store.js';
import { trafficFields } from '../traffic-text.js';

interface Flags {
  readonly to: string;
  readonly dryRun?: boolean;
  readonly keepRemoved: number;
}

/** Long enough that a weekly check of the source comes first. */
const KEPT_DAYS = 7;
const DAY_SECONDS = 86_400;

const HELP = `
The mirror is a repository by itself: it opens with the same passwords. Nothing is decrypted, no password is asked for, and every
object is verified by its own digest on the way. Running it again sends what is new; it may be interrupted at any time, and snapshots
and prunes of the source may run meanwhile. Forgotten snapshots are forgotten in the mirror too; what the repository no longer has, keys
that were removed among it, stays there for --keep-removed days, since without a password nobody can tell it from what was lost.

Let nothing else write to it: then it is a repository of its own, and the next mirror refuses it.

Example:
  $ cbr mirror -r /media/backup/cbr --to s3:https://store.example/bucket/cbr`;

export const mirror: CommandModule = {
  configure(command: Command): void {
    command
      .requiredOption('--to <location>', 'where the mirror is, or is to be made: a folder or s3:...')
      .option('--dry-run', 'show what would be done, and change nothing')
      .addOption(
        new Option('--keep-removed <days>', 'keep what the repository no longer has for so long')
          .argParser(wholeNumber(0, 36_500))
          .default(KEPT_DAYS),
      )
      .addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { to, dryRun = false, keepRemoved } = command.opts<Flags>();
    refuseSamePlace(requireLocation(context), to);
    return withStore(context, async (source) => {
      const { output, options, signal } = context;
      const target = targetOpener(context, to, dryRun);
      const request: MirrorOptions = {
        signal,
        dryRun,
        keepGone: keepRemoved * DAY_SECONDS,
        stagingFolder: join(options.cacheRoot, 'staging'),
        now: () => Date.now(),
        onProgress: objectProgress(output, 'mirror'),
      };
      const report = await mirrorStore(source, target.open, request);
      const problems = problemsOf(report);
      for (const problem of problems) output.problem(problem);
      printSummary(context, to, report, dryRun);
      const { damaged, lost, keysLeft, ...counts } = report;
      return {
        exitCode: damaged.length + lost.length > 0 ? EXIT.damage : EXIT.done,
        summary: {
          target: to,
          ...counts,
          damaged: damaged.length,
          lost: lost.length,
          keysLeft,
          ...(dryRun ? { dryRun } : {}),
          ...target.traffic(),
        },
      };
    });
  },
};

function refuseSamePlace(from: string, to: string): void {
  if (parseLocation(from).text !== parseLocation(to).text) return;
  throw new CbrError('usage', 'the repository cannot be its own mirror', {
    hint: 'Name another place with --to.',
  });
}

interface TargetOpener {
  readonly open: () => Promise<Backend>;
  /** What passed between the run and the mirror. */
  readonly traffic: () => Readonly<Record<string, unknown>>;
}

function targetOpener(context: CommandContext, to: string, dryRun: boolean): TargetOpener {
  let traffic = {};
  const access = {
    ...openOptions(context, 'open'),
    location: to,
    wrapBackend: (medium: Backend) => {
      const counted = withTraffic(medium);
      traffic = counted.traffic;
      return counted;
    },
  };
  return {
    open: () => (dryRun ? openOrImagine(access) : openOrMakeStore(access)),
    traffic: () =>
      Object.keys(traffic).length === 0 ? {} : { targetTraffic: trafficFields(traffic as never) },
  };
}

/** For a dry run: where nothing is, nothing is made. */
async function openOrImagine(access: Parameters<typeof openStore>[0]): Promise<Backend> {
  try {
    return await openStore(access);
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'no-repository') throw error;
    return new MemoryBackend(access.location);
  }
}

function problemsOf({ damaged, lost, keysLeft }: MirrorReport): Problem[] {
  const repository = { about: 'repository' } as const;
  return [
    ...damaged.map((each) => ({
      ...damageProblem(each),
      reason: `${each.reason}; what the mirror has under this name is left as it is`,
    })),
    ...lost.map((object) => ({
      ...repository,
      severity: 'error' as const,
      code: 'lost',
      object,
      reason:
        'is gone from the repository, although cbr never removes it; the mirror keeps it, and all that was pruned',
      hint: 'Put it back from the mirror, and find out what happened: cbr check.',
    })),
    ...keysLeft.map((key) => ({
      ...repository,
      severity: 'warning' as const,
      code: 'key-left',
      object: `keys/${key}`,
      reason: 'was removed from the repository and is still in the mirror: its password opens that',
      hint: 'It goes when the time of --keep-removed is over and another key is there; with --keep-removed 0 it goes now.',
    })),
  ];
}

function printSummary({ output }: CommandContext, to: string, report: MirrorReport, dryRun: boolean): void {
  const { copied, present, removed, waiting, damaged, lost } = report;
  const would = dryRun ? 'Would copy' : 'Copied';
  output.line(
    `${would} ${countOf(copied.objects, 'object')} (${sizeText(copied.bytes)}) to ${to}; ${countOf(present, 'object')} there already.`,
  );
  if (removed.objects > 0) {
    const what = `${countOf(removed.objects, 'object')} (${sizeText(removed.bytes)})`;
    output.line(`${dryRun ? 'Would remove' : 'Removed'} ${what} that the repository no longer has.`);
  }
  if (waiting > 0)
    output.line(`Kept for a while: ${countOf(waiting, 'object')} that the repository no longer has.`);
  if (damaged.length + lost.length > 0) output.repeatProblems();
}
