import type { Command } from 'commander';
import { CbrError, type SessionId } from '../../core/index.js';
import { displayPath } from '../../fs/index.js';
import type { Repository } from '../../repo/index.js';
import {
  type ForgottenSnapshot,
  listForgotten,
  selectForgotten,
  type Unforgotten,
  unforgetSnapshot,
} from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { tellDamaged } from '../damaged-records.js';
import { EXIT } from '../exit-codes.js';
import type { Problem } from '../problem.js';
import { displayText, rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
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

export const unforget: CommandModule = {
  configure(command: Command): void {
    command.argument('[snapshot...]', 'what to bring back, by its id or the beginning of it').addHelpText(
      'after',
      `
It becomes a new snapshot, with an id of its own and everything else as it was. That works until a prune has removed what it
holds; nothing is changed then. Done again it makes no second one. Without a snapshot those are listed that can be brought
back.

A policy sees it as it sees any other: pin it (cbr pin) to keep it.

Examples:
  $ cbr unforget
  $ cbr unforget 3f0a1b2c 77e1d0a9`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const names = command.processedArgs[0] as readonly string[];
    return withRepository(context, (repository) =>
      names.length === 0 ? list(context, repository) : bringBack(context, repository, names),
    );
  },
};

/** One after the other; what cannot be brought back any more does not keep the others from it. */
async function bringBack(
  { output, signal }: CommandContext,
  repository: Repository,
  names: readonly string[],
): Promise<Outcome> {
  const ids = new Set<SessionId>();
  // All of them are found before one is brought back.
  for (const name of names) ids.add(await selectForgotten(repository, name));
  const options = { by: byWhom(), nowSeconds: currentTime().seconds, signal };
  let changed = 0;
  let storedAgain = 0;
  for (const id of ids) {
    signal.throwIfAborted();
    try {
      const result = await unforgetSnapshot(repository, id, options);
      if (result.isNew) changed++;
      storedAgain += result.storedAgain;
      const fields = { snapshot: result.snapshot.id, forgotten: id, changed: result.isNew };
      output.item(fields, () => resultLine(id, result));
    } catch (error) {
      if (ids.size === 1 || !(error instanceof CbrError) || error.code !== 'not-found') throw error;
      output.problem(problemOfError(error));
    }
  }
  if (storedAgain > 0)
    output.line(`${sizeText(storedAgain)} that were about to be removed were stored again.`);
  return {
    exitCode: output.errorCount > 0 ? EXIT.failed : EXIT.done,
    summary: { snapshots: ids.size, changed, bytes: { storedAgain } },
  };
}

function resultLine(id: SessionId, { snapshot, isNew }: Unforgotten): string {
  const { about } = snapshot;
  const paths = about.paths.map(displayPath).join(' ');
  const name = `${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)}, ${paths})`;
  return isNew
    ? `Brought ${name} back: it is now the snapshot ${snapshot.id}.`
    : `${name} is back already: it is the snapshot ${snapshot.id}.`;
}

function problemOfError({ code, message, hint }: CbrError): Problem {
  return {
    severity: 'error',
    about: 'repository',
    code,
    reason: message,
    ...(hint === undefined ? {} : { hint }),
  };
}

async function list({ output, signal }: CommandContext, repository: Repository): Promise<Outcome> {
  const { snapshots, damaged, ids } = await listForgotten(repository, signal);
  const digits = shortestUnique(ids);
  const rows = snapshots.map((each) => rowOf(each, digits));
  const [titles, ...lines] = table(COLUMNS, rows);
  if (snapshots.length > 0) output.line(titles);
  for (const [i, snapshot] of snapshots.entries()) output.item(fieldsOf(snapshot), () => lines[i]!);
  const count = snapshots.length;
  output.line(count === 0 ? 'There is nothing to bring back.' : `${countText(count)} in all`);
  const exitCode = tellDamaged(output, { damaged }, 'forgotten');
  return { exitCode, summary: { snapshots: count } };
}

const moment = (seconds: number) => ({ seconds, nanoseconds: 0 });

function rowOf({ snapshot: { id, about }, forgotten, by }: ForgottenSnapshot, digits: number): string[] {
  return [
    id.slice(0, digits),
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
