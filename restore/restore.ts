import type { Command } from './arguments.js';
import { discText } from './catalog.js';
import type { Reference } from './chunks.js';
import type { Entry } from './entry.js';
import { type Damage, EXIT, type ExitCode, Failure, mayCome, type OutOfReach } from './failure.js';
import { setMetadata } from './metadata.js';
import { Report } from './report.js';
import { Restorer, type Start } from './restorer.js';
import { DiscSearch } from './search.js';
import { selectSnapshot } from './select.js';
import type { Session } from './session.js';
import type { Snapshot } from './snapshots.js';
import { Staging } from './staging.js';
import { Target } from './target.js';
import { counted, shown, sizeText } from './text.js';
import { entriesOf } from './tree.js';

/** The command `restore`: passes over what is asked for, with a question for each disc in between. */

export interface Dialog {
  readonly print: (text: string) => void;
  readonly say: (text: string) => void;
  readonly progress: (text: string) => void;
  /** Asks on the terminal; absent where there is none. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
}

type RestoreCommand = Extract<Command, { name: 'restore' }>;

export async function restore(session: Session, command: RestoreCommand, dialog: Dialog): Promise<ExitCode> {
  const snapshot = selectSnapshot(session.snapshots(), command.snapshot, command.path);
  const what = command.path === undefined ? '' : `:${shown(command.path)}`;
  dialog.say(`Restoring ${snapshot.id.slice(0, 8)}${what} of ${shown(snapshot.host)} ...`);
  if (snapshot.isPartial)
    dialog.say('This snapshot is partial: it was stopped before it had all of its sources.');
  const search = new DiscSearch(session);
  // Before the target is made, so that a mistyped path makes nothing.
  const foundOr = (begin: Begin | Damage | OutOfReach): Begin => {
    if (begin instanceof Error) {
      throw new Failure(EXIT.damage, `${command.path} cannot be looked up: ${search.reasonOf(begin)}`);
    }
    return begin;
  };
  if (dialog.ask === undefined) foundOr(startOf(session, snapshot, command.path));
  const target = new Target(command.target);
  const staging = new Staging(target.aside);
  const report = new Report(command.options.isVerbose);
  const restorer = new Restorer({
    chunks: session.chunks,
    keys: session.keys,
    target,
    report,
    reasonOf: (loss) => search.reasonOf(loss),
    progress: () => dialog.progress(`${counted(report.files, 'file')}, ${sizeText(report.bytes)}`),
  });
  const pass = (isLast: boolean): ReadonlyMap<string, number> => {
    const begin = startOf(session, snapshot, command.path);
    if (mayCome(begin) && !isLast) return new Map([[begin.pack ?? '', 1]]);
    const { start } = foundOr(begin);
    const missing = restorer.pass(start, isLast);
    dialog.progress('');
    return missing;
  };
  const end = (): void => {
    // Copies of trees that are open could not be removed everywhere.
    session.release();
    target.end();
  };
  try {
    if (dialog.ask !== undefined) await askForDiscs({ session, search, staging }, dialog, dialog.ask, pass);
    pass(true);
    const { folder } = foundOr(startOf(session, snapshot, command.path));
    end();
    if (folder !== undefined)
      setMetadata(target.folder, folder, (lack) => report.lacks(lack, shown(command.target)));
  } catch (error) {
    if (error instanceof Failure && error.exitCode === EXIT.interrupted)
      dialog.say(report.summary(shown(command.target)));
    throw error;
  } finally {
    end();
  }
  for (const line of report.problems()) dialog.say(line);
  dialog.print(report.summary(shown(command.target)));
  return report.exitCode();
}

/** Passes and questions until nothing is missing that somebody has. */
async function askForDiscs(
  { session, search, staging }: { session: Session; search: DiscSearch; staging: Staging },
  dialog: Dialog,
  ask: (question: string) => Promise<string>,
  pass: (isLast: boolean) => ReadonlyMap<string, number>,
): Promise<void> {
  let missing = pass(false);
  for (;;) {
    const next = search.next(missing);
    if (next === undefined) return;
    staging.keep(session.store, session.chunks.treePacks(), dialog.say);
    session.release();
    const why =
      next.entries > 0
        ? ` for ${counted(next.entries, 'more entry', 'more entries')}`
        : ' to know where the rest lies';
    const name = discText(next.disc);
    dialog.say(`${name.replace('disc', 'Disc')} is needed${why}.`);
    const answer = await ask(
      'Insert it, or make a copy of it readable, and press Enter; or s and Enter to go on without it: ',
    );
    if (answer.trim().toLowerCase() === 's') {
      search.skip(next.disc);
      continue;
    }
    session.lookAgain(staging.folders());
    if (!session.isHere(next.disc.id)) {
      const here = session.folders.map(({ disc }) => disc).filter((disc) => disc !== undefined);
      const found =
        here.length === 0
          ? 'no disc is'
          : `${here.map((disc) => discText(disc)).join(', ')} ${here.length === 1 ? 'is' : 'are'}`;
      dialog.say(`Not yet: ${found} in reach.`);
      for (const folder of session.foreignFolders) dialog.say(`${shown(folder)} is of another repository.`);
    }
    missing = pass(false);
  }
}

/** Where a pass begins; `folder`: what gives the target itself its metadata. */
interface Begin {
  readonly start: Start;
  readonly folder: Entry | undefined;
}

/** What was lost on the way is returned. Throws a Failure for a path that is not in the snapshot. */
function startOf(
  session: Session,
  { root }: Snapshot,
  path: string | undefined,
): Begin | Damage | OutOfReach {
  let entry: Entry | undefined;
  for (const name of (path ?? '').split('/').filter((each) => each !== '')) {
    const tree: Reference | undefined = entry === undefined ? root : entry.tree;
    const next = tree === undefined ? undefined : entryNamed(session, tree, Buffer.from(name));
    if (next === undefined) {
      throw new Failure(
        EXIT.failed,
        `${path} is not in the snapshot`,
        'Is it written as it was, with its capital letters? list shows the sources.',
      );
    }
    if (next instanceof Error) return next;
    entry = next;
  }
  if (entry === undefined) return { start: { tree: root }, folder: undefined };
  if (entry.tree === undefined) return { start: { entry }, folder: undefined };
  return { start: { tree: entry.tree }, folder: entry };
}

/** If it is not found and a page could not be had, what was lost. */
function entryNamed(
  { chunks }: Session,
  tree: Reference,
  name: Buffer,
): Entry | Damage | OutOfReach | undefined {
  let lost: Damage | OutOfReach | undefined;
  for (const each of entriesOf(chunks, tree)) {
    if (!('entry' in each)) lost ??= each.lost;
    else if (each.entry.name.equals(name)) return each.entry;
  }
  return lost;
}
