import type { Command } from './arguments.js';
import { discText } from './catalog.js';
import type { Reference } from './chunks.js';
import type { Disc } from './disc.js';
import type { Entry } from './entry.js';
import { Damage, EXIT, type ExitCode, Failure, OutOfReach } from './failure.js';
import { setMetadata } from './metadata.js';
import { Report } from './report.js';
import { Restorer, type Start } from './restorer.js';
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
  // Before the target is made, so that a mistyped path makes nothing.
  const foundOr = (begin: Begin | Damage | OutOfReach): Begin => {
    if (begin instanceof Error) {
      throw new Failure(EXIT.damage, `${command.path} cannot be looked up: ${reasonOf(session, begin)}`);
    }
    return begin;
  };
  if (dialog.ask === undefined) foundOr(startOf(session, snapshot, command.path));
  const target = new Target(command.target);
  const staging = new Staging();
  const report = new Report(command.options.isVerbose);
  const restorer = new Restorer({
    chunks: session.chunks,
    keys: session.keys,
    target,
    report,
    reasonOf: (loss) => reasonOf(session, loss),
    progress: () => dialog.progress(`${counted(report.files, 'file')}, ${sizeText(report.bytes)}`),
  });
  const pass = (isLast: boolean): ReadonlyMap<string, number> => {
    const begin = startOf(session, snapshot, command.path);
    if (begin instanceof OutOfReach && !isLast) return new Map([[begin.pack ?? '', 1]]);
    const { start } = foundOr(begin);
    const missing = restorer.pass(start, isLast);
    dialog.progress('');
    return missing;
  };
  try {
    if (dialog.ask !== undefined) await askForDiscs(session, dialog, dialog.ask, staging, pass);
    pass(true);
    target.end();
    const { folder } = foundOr(startOf(session, snapshot, command.path));
    if (folder !== undefined)
      setMetadata(target.folder, folder, (lack) => report.lacks(lack, shown(command.target)));
  } finally {
    target.end();
    staging.end();
  }
  for (const line of report.problems()) dialog.say(line);
  dialog.print(report.summary(shown(command.target)));
  return report.exitCode();
}

/** Passes and questions until nothing is missing that somebody has. */
async function askForDiscs(
  session: Session,
  dialog: Dialog,
  ask: (question: string) => Promise<string>,
  staging: Staging,
  pass: (isLast: boolean) => ReadonlyMap<string, number>,
): Promise<void> {
  const without = new Set<string>();
  let missing = pass(false);
  for (;;) {
    const next = neededDiscs(session, missing).find(({ disc }) => !without.has(disc.id));
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
      without.add(next.disc.id);
      continue;
    }
    session.lookAgain(staging.folders());
    const here = session.folders.map(({ disc }) => disc).filter((disc) => disc !== undefined);
    if (!here.some(({ id }) => id === next.disc.id)) {
      const found =
        here.length === 0
          ? 'no disc is'
          : `${here.map((disc) => discText(disc)).join(', ')} ${here.length === 1 ? 'is' : 'are'}`;
      dialog.say(`Not yet: ${found} in reach.`);
    }
    missing = pass(false);
  }
}

interface NeededDisc {
  readonly disc: Disc;
  /** How many entries wait for it; 0 where it is only a guess. */
  readonly entries: number;
}

/** In the order of their numbers; where no index says what lies where, the last disc of a set comes first: it has the index. */
function neededDiscs(session: Session, missing: ReadonlyMap<string, number>): NeededDisc[] {
  const discs = session.missingDiscs();
  const entries = new Map<string, number>();
  let areGuessed = false;
  for (const [pack, count] of missing) {
    const holders = session.discs.holdersOf(pack).filter(({ id }) => discs.some((disc) => disc.id === id));
    if (holders.length === 0) areGuessed = true;
    for (const { id } of holders) entries.set(id, (entries.get(id) ?? 0) + count);
  }
  const known = discs.filter(({ id }) => entries.has(id));
  const guessed = areGuessed ? discs.filter(({ id }) => !entries.has(id)).reverse() : [];
  const needed = missing.has('') ? [...guessed, ...known] : [...known, ...guessed];
  return needed.map((disc) => ({ disc, entries: entries.get(disc.id) ?? 0 }));
}

function reasonOf(session: Session, loss: Damage | OutOfReach): string {
  if (loss instanceof Damage) return loss.message;
  const missing = session.missingDiscs();
  if (loss.pack === undefined) {
    return missing.length === 0
      ? loss.message
      : `${loss.message}; not in reach: ${missing.map(discText).join(', ')}`;
  }
  const holders = session.discs.holdersOf(loss.pack);
  if (holders.length === 0) return `${loss.message}, and no disc is known that has it`;
  return `it lies on ${holders.map(discText).join(' and ')}, which is not in reach (pack ${loss.pack})`;
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
