import type { Command } from 'commander';
import type { ObjectKind } from '../../backends/index.js';
import { CbrError, chunkIdHex } from '../../core/index.js';
import { listNames, type RecordKindName, type Repository } from '../../repo/index.js';
import {
  inspectChunk,
  inspectPack,
  inspectPath,
  inspectRecord,
  inspectSegment,
  inspectTree,
  type Readable,
} from '../../snapshot/index.js';
import { writeBytes } from '../byte-output.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { chosenObject, highest } from '../object-choice.js';
import { jsonText, readableJson } from '../readable-json.js';
import { withRepository } from '../repository.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP, wantedOf } from '../snapshot-choice.js';

/** What is asked for, and the objects that it is about. */
const OBJECTS: Readonly<Record<string, ObjectKind>> = {
  config: 'config',
  key: 'keys',
  snapshot: 'snapshots',
  forgotten: 'forgotten',
  note: 'notes',
  policy: 'policies',
  catalog: 'catalog',
  session: 'sessions',
  mark: 'marks',
  lease: 'leases',
  index: 'index',
  pack: 'packs',
};

const HELP = `
KIND: config, key, snapshot, forgotten, note, policy, catalog, session, mark, lease; index, pack (its table), tree, chunk.
NAME: a number (config, policy, catalog, mark, lease), or an id or the beginning of one. Without it the names that there are, or of config
and policy the one that counts. Of a session its record is shown, of a snapshot's notes the last one, unless /NUMBER follows.
tree takes SNAPSHOT[:PATH] or an id. chunk writes the bytes of the chunk, verified.
Bytes are shown in hexadecimal. The master key is never shown.
${SNAPSHOT_HELP}

Examples:
  $ cbr cat config
  $ cbr cat snapshot latest
  $ cbr cat tree latest:/home/ann
  $ cbr cat pack 3f9a
  $ cbr cat chunk 6b0d0c1a > chunk`;

interface Flags {
  readonly raw?: boolean;
}

export const cat: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<kind>', 'what to show')
      .argument('[name]', 'which one')
      .option('--raw', 'of a record: its MessagePack as stored, opened');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [kind, name] = command.processedArgs as [string, string | undefined];
    const { raw = false } = command.opts<Flags>();
    const objects = Object.hasOwn(OBJECTS, kind) ? OBJECTS[kind] : undefined;
    if (objects === undefined && kind !== 'tree' && kind !== 'chunk') {
      throw new CbrError('usage', `there is no kind of object called '${kind}'`, {
        hint: `One of: ${[...Object.keys(OBJECTS), 'tree', 'chunk'].join(', ')}.`,
      });
    }
    if (raw && (objects === undefined || objects === 'index' || objects === 'packs')) {
      throw new CbrError('usage', `--raw is for records, and ${kind} is none`);
    }
    if (kind === 'chunk' || raw) context.output.leaveStandardOutput();
    return withRepository(context, (repository) => {
      if (kind === 'chunk') return catChunk(context, repository, name);
      if (objects === undefined) return catTree(context, repository, command, name);
      return catObject(context, repository, command, objects, name, raw);
    });
  },
};

async function catObject(
  context: CommandContext,
  repository: Repository,
  command: Command,
  kind: ObjectKind,
  wanted: string | undefined,
  raw: boolean,
): Promise<Outcome> {
  const names = await listNames(repository.backend, kind);
  const name = await nameOf(repository, command, kind, names, wanted);
  if (name === undefined) return list(context, kind, names);
  const object = `${kind}/${name}`;
  if (kind === 'packs') return show(context, object, await inspectPack(repository, name));
  if (kind === 'index') return show(context, object, await inspectSegment(repository, name));
  const { value, plain } = await inspectRecord(repository, kind as RecordKindName, name);
  return raw ? bytesOf(context, plain, { object }) : show(context, object, value);
}

/** Undefined: all names are to be listed. */
async function nameOf(
  repository: Repository,
  command: Command,
  kind: ObjectKind,
  names: readonly string[],
  wanted: string | undefined,
): Promise<string | undefined> {
  const choice = choiceOf(command);
  if (wanted === undefined && !(kind === 'snapshots' && choice.at !== undefined)) {
    if (kind === 'config') return String(repository.configNumber);
    return kind === 'policies' ? highest(names) : undefined;
  }
  const name = wanted ?? 'latest';
  if (kind !== 'snapshots' || !name.startsWith('latest')) return chosenObject(kind, names, name);
  return (await chosenSnapshot(repository, name, choice)).id;
}

function list({ output }: CommandContext, kind: ObjectKind, names: readonly string[]): Outcome {
  for (const name of [...names].sort()) output.item({ object: `${kind}/${name}` }, () => name);
  return { exitCode: EXIT.done, summary: { objects: names.length } };
}

async function catTree(
  context: CommandContext,
  repository: Repository,
  command: Command,
  name: string | undefined,
): Promise<Outcome> {
  const choice = choiceOf(command);
  const wanted = wantedOf(name, choice);
  const isId = wanted.path === undefined && /^[0-9a-f]{33,64}$/i.test(wanted.snapshot);
  if (isId) return show(context, `tree ${wanted.snapshot}`, await inspectTree(repository, wanted.snapshot));
  try {
    const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
    const tree = await inspectPath(repository, snapshot, wanted.path);
    return show(context, `tree ${snapshot.id}:${wanted.path ?? ''}`, tree);
  } catch (error) {
    const isNoSnapshot = error instanceof CbrError && error.code === 'not-found' && wanted.path === undefined;
    if (!isNoSnapshot || !/^[0-9a-f]+$/i.test(wanted.snapshot)) throw error;
    return show(context, `tree ${wanted.snapshot}`, await inspectTree(repository, wanted.snapshot));
  }
}

async function catChunk(
  context: CommandContext,
  repository: Repository,
  name: string | undefined,
): Promise<Outcome> {
  if (name === undefined) throw new CbrError('usage', 'no chunk was named', { hint: 'Give its id.' });
  const { id, kind, bytes } = await inspectChunk(repository, name);
  return bytesOf(context, bytes, { chunk: chunkIdHex(id), holds: kind });
}

async function bytesOf(
  context: CommandContext,
  bytes: Uint8Array,
  about: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  await writeBytes(context, undefined, (sink) => sink.write(bytes));
  return { exitCode: EXIT.done, summary: { ...about, bytes: bytes.byteLength } };
}

function show({ output }: CommandContext, object: string, value: Readable): Outcome {
  const json = readableJson(value);
  output.item({ object, value: json }, () => jsonText(json));
  return { exitCode: EXIT.done, summary: { object } };
}
