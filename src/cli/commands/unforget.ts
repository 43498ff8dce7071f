import type { Command } from 'commander';
import { displayPath } from '../../fs/index.js';
import type { Repository } from '../../repo/index.js';
import {
  type ForgottenSnapshot,
  listForgotten,
  selectForgotten,
  unforgetSnapshot,
} from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText, rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { countText, sizeText } from '../sizes.js';
import { table } from '../table.js';
import { currentTime, isoTime, timeText } from '../times.js';

const COLUMNS = [
  { title: 'ID' },
  { title: 'Time' },
  { title: 'Host' },
  { title: 'Forgotten' },
  { title: 'By' },
  { title: 'Paths' },
] as const;

const ID_DIGITS = 12;

export const unforget: CommandModule = {
  configure(command: Command): void {
    command.argument('[snapshot]', 'what to bring back, by its id or the beginning of it').addHelpText(
      'after',
      `
It becomes a new snapshot, with an id of its own and everything else as it was. That works until a prune has removed what it
holds; nothing is changed then. Without a snapshot those are listed that can perhaps be brought back.

A policy sees it as it sees any other: pin it (cbr pin) to keep it.

Examples:
  $ cbr unforget
  $ cbr unforget 3f0a1b2c`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [name] = command.processedArgs as readonly (string | undefined)[];
    return withRepository(context, (repository) =>
      name === undefined ? list(context, repository) : bringBack(context, repository, name),
    );
  },
};

async function bringBack(
  { output, signal }: CommandContext,
  repository: Repository,
  name: string,
): Promise<Outcome> {
  const id = await selectForgotten(repository, name);
  const nowSeconds = currentTime().seconds;
  const { snapshot, storedAgain } = await unforgetSnapshot(repository, id, {
    by: byWhom(),
    nowSeconds,
    signal,
  });
  const { about } = snapshot;
  const paths = about.paths.map(displayPath).join(' ');
  output.line(`Brought ${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)}, ${paths}) back.`);
  output.line(`It is now the snapshot ${snapshot.id}.`);
  if (storedAgain > 0)
    output.line(`${sizeText(storedAgain)} that were about to be removed were stored again.`);
  return {
    exitCode: EXIT.done,
    summary: { snapshot: snapshot.id, forgotten: id, bytes: { storedAgain } },
  };
}

async function list({ output }: CommandContext, repository: Repository): Promise<Outcome> {
  const { snapshots, damaged } = await listForgotten(repository);
  const [titles, ...lines] = table(COLUMNS, snapshots.map(rowOf));
  if (snapshots.length > 0) output.line(titles);
  for (const [i, snapshot] of snapshots.entries()) output.item(fieldsOf(snapshot), () => lines[i]!);
  const count = snapshots.length;
  output.line(count === 0 ? 'There is nothing to bring back.' : `${countText(count)} in all`);
  for (const { id, error } of damaged) {
    output.problem({
      severity: 'error',
      about: 'repository',
      code: error.code,
      reason: error.message,
      hint: error.hint ?? 'Run: cbr check',
      object: `forgotten/${id}`,
    });
  }
  return { exitCode: damaged.length > 0 ? EXIT.damage : EXIT.done, summary: { snapshots: count } };
}

const moment = (seconds: number) => ({ seconds, nanoseconds: 0 });

function rowOf({ snapshot: { id, about }, forgotten, by }: ForgottenSnapshot): string[] {
  return [
    id.slice(0, ID_DIGITS),
    timeText(about),
    displayText(about.host),
    timeText(moment(forgotten)),
    displayText(by),
    about.paths.map(displayPath).join(' '),
  ];
}

function fieldsOf({ snapshot, forgotten, by }: ForgottenSnapshot): Readonly<Record<string, unknown>> {
  const { id, about } = snapshot;
  return {
    snapshot: id,
    time: isoTime(about, about.zoneOffset),
    host: about.host,
    ...rawListField('paths', about.paths),
    tags: about.tags,
    forgotten: isoTime(moment(forgotten)),
    by,
  };
}
