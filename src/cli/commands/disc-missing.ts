import type { Command } from 'commander';
import {
  buildsOfSet,
  discsForRestore,
  neededPacks,
  type RestoreDisc,
  type RestoreNeeds,
} from '../../disc/index.js';
import type { DiscCatalog } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { knownDiscs, noDiscsText } from '../disc-catalog.js';
import { bytesOf, discFields, discText, packsText, showPacks, tellUnreadable } from '../disc-text.js';
import { EXIT } from '../exit-codes.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { countText, sizeText } from '../sizes.js';
import { choiceOf, chosenSnapshot, declareChoice, NAMES_HELP, namesOf } from '../snapshot-choice.js';
import { table } from '../table.js';
import { noSet } from './disc-list.js';

interface Flags {
  readonly set?: string;
}

const COLUMNS = [
  { title: 'Disc' },
  { title: 'Volume' },
  { title: 'State' },
  { title: 'Packs', align: 'right' },
  { title: 'Size', align: 'right' },
] as const;

export const discMissing: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot]', 'what would be restored')
      .option('--set <name>', 'only look at this set (default: at each)');
    declareChoice(command);
    command.addHelpText(
      'after',
      `${NAMES_HELP}

Shows the discs that a restore needs, as few as will do, and the packs that are on none. Discs that are planned or retired do not
count. Read from discs, it tells what was known when they were made: the newest one knows most. The exit code is 3 when no set has all of the snapshot.

Examples:
  $ cbr disc missing latest
  $ cbr disc missing 3f0a1b2c --set home`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [name] = command.processedArgs as [string | undefined];
    const { set } = command.opts<Flags>();
    const choice = choiceOf(command);
    const [wanted] = namesOf(name === undefined ? [] : [name], choice);
    return withRepository(context, async (repository) => {
      const { output, signal } = context;
      const snapshot = await chosenSnapshot(repository, wanted!, choice);
      const catalog = await knownDiscs(context, repository);
      const unreadable = tellUnreadable(output, catalog);
      const sets = setsOf(catalog, set);
      const { data } = await neededPacks(repository, [snapshot], signal);
      output.line(`Snapshot ${snapshot.id.slice(0, 8)} needs ${packsText(data)}.`);
      const packs = data.map(({ name, size }) => ({ name, size }));
      const there = new Set<string>(repository.cache.packNames());
      const found = sets.map((each) => ({
        set: each,
        needs: discsForRestore(buildsOfSet(catalog, each), snapshot.id, packs, (name) => there.has(name)),
      }));
      for (const each of found) showNeeds(context, each.set, each.needs, sets.length === 1);
      if (sets.length === 0) output.line(noDiscsText(repository));
      const isSafe = found.some(({ needs }) => isWhole(needs));
      const summary = {
        snapshot: snapshot.id,
        packs: packs.length,
        bytes: bytesOf(packs),
        sets: found.map((each) => setFields(each.set, each.needs)),
      };
      const exitCode = isSafe ? EXIT.done : EXIT.incomplete;
      return { exitCode: unreadable === EXIT.done ? exitCode : unreadable, summary };
    });
  },
};

const isWhole = ({ missing, hasTrees }: RestoreNeeds): boolean => missing.length === 0 && hasTrees;

function setsOf(catalog: DiscCatalog, set: string | undefined): readonly string[] {
  const names = [...new Set(catalog.builds.map((build) => build.set))].sort();
  if (set === undefined) return names;
  if (!names.includes(set)) throw noSet(set);
  return [set];
}

function setFields(set: string, { discs, missing, hasTrees, isMoved }: RestoreNeeds) {
  return {
    set,
    discs: discs.length,
    trees: hasTrees,
    moved: isMoved,
    missing: { packs: missing.length, bytes: bytesOf(missing) },
  };
}

function showNeeds({ output }: CommandContext, set: string, needs: RestoreNeeds, isAsked: boolean): void {
  const { discs, missing, hasTrees, isMoved } = needs;
  const name = displayText(set);
  output.line();
  if (discs.length === 0 && !isAsked) {
    output.line(`Set ${name} has nothing of it.`);
    return;
  }
  const part =
    discs.length === 0 ? 'has nothing of it.' : 'does not have all of it. These discs have a part:';
  output.line(`Set ${name} ${isWhole(needs) ? 'has all of it, on these discs:' : part}`);
  const [titles, ...lines] = table(COLUMNS, discs.map(rowOf));
  if (discs.length > 0) output.line(titles);
  for (const [i, { build, disc, packs }] of discs.entries()) {
    const fields = { ...discFields(build, disc), packs: packs.length, bytes: bytesOf(packs) };
    output.item(fields, () => lines[i]!);
  }
  if (isMoved) output.line('A prune has moved some of it since: the discs have it in packs of their own.');
  if (!hasTrees) output.line('No disc that counts is known to have its record and its trees.');
  if (missing.length > 0) output.line(`On no disc: ${packsText(missing)}.`);
  showPacks(output, missing, { set });
}

function rowOf({ build, disc, packs }: RestoreDisc): string[] {
  return [
    discText(build, disc),
    displayText(disc.volume),
    disc.state,
    countText(packs.length),
    sizeText(bytesOf(packs)),
  ];
}
