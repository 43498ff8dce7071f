import { CbrError, type ChunkId, chunkIdBytes } from '../../dist/core/index.js';
import {
  endDeadSessions,
  type FinishedPack,
  knownChunks,
  type LoadedRepository,
  loadRepository,
  PackStore,
  PackWriter,
  registerSession,
  unnamedSnapshots,
  validSnapshots,
  type WriterSession,
} from '../../dist/repo/index.js';
import type { SimulatedProcess } from './machine.js';
import type { ModelChunk, ModelRoot } from './model-trees.js';

export interface WriterOptions {
  /** Per chunk: how many heartbeats are written, how often a pack is ended early, a checkpoint is made. */
  readonly beatRate: number;
  readonly packEndRate: number;
  readonly checkpointRate: number;
  /** How often it gives up in the middle. */
  readonly abortRate: number;
  readonly parentRate: number;
  readonly reuseRate: number;
  readonly newestParentRate: number;
  readonly changeRate: number;
  /** A planted fault: a run that was fenced goes on with what it knew. */
  readonly remembersAcrossFences: boolean;
  /** A planted fault, on a store that silently overwrites: it commits however long it slept. */
  readonly sleepsUnnoticed?: boolean;
}

/** As in takeSnapshot: more often than this a run does not start over. */
const MAX_ATTEMPTS = 3;

/** Takes one snapshot of the model: the steps of takeSnapshot with the same parts, over a source that is made up. */
export async function writeSnapshot(its: SimulatedProcess, options: WriterOptions): Promise<void> {
  const remembered = new Set<ChunkId>();
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    try {
      return await writeOnce(its, options, remembered);
    } catch (error) {
      if (!(error instanceof CbrError) || error.code !== 'fenced') throw error;
    }
  }
}

async function writeOnce(
  its: SimulatedProcess,
  options: WriterOptions,
  remembered: Set<ChunkId>,
): Promise<void> {
  const { repository, world, actor } = its;
  const { backend, records, cache, identity } = repository;
  await endDeadSessions(repository);
  const { waitingMs, now } = repository;
  const clock = (): number => world.waiting!.now();
  const awake =
    waitingMs === undefined || options.sleepsUnnoticed ? {} : { awake: { waitingMs, now, clock } };
  const registered = await registerSession({ backend, records, ...awake }, identity, 1);
  const session = withHeart(registered);
  const loaded = await loadRepository(repository);
  if (loaded.sync.damaged.length > 0) throw loaded.sync.damaged[0]!;
  const known = knownChunks(cache, loaded.sync.unreliable);
  const store = new PackStore({
    backend,
    records,
    known: options.remembersAcrossFences
      ? { has: (id) => remembered.has(id) || known.has(id), addSegment: known.addSegment }
      : known,
    author: { kind: 'session', session: session.id },
    clock: () => actor.clockMs,
  });
  const packs = new ModelPacks(its, store);
  its.atStop(() => packs.abandon());
  const { root, reused } = plannedRoot(its, loaded, options);
  for (const chunk of root.reached) {
    if (reused.has(chunk)) continue;
    for (let beats = options.beatRate; world.random.chance(beats); beats--) session.beatBeside();
    if (world.random.chance(options.checkpointRate)) actor.clockMs += 60_000;
    if (!store.claim(chunk.id)) continue;
    remembered.add(chunk.id);
    await store.room();
    packs.add(chunk);
    if (world.random.chance(options.packEndRate)) packs.finish();
    if (world.random.chance(options.abortRate)) {
      packs.finish();
      await session.beaten();
      return registered.abort(await store.salvage());
    }
  }
  packs.finish();
  const segments = await store.finish();
  await session.beaten();
  const outcome = {
    root: { id: root.tree.idBytes, length: root.tree.content.byteLength },
    segments: segments.map((name) => Buffer.from(name, 'hex')),
    seen: unnamedSnapshots(loaded.view).map((sid) => Buffer.from(sid, 'hex')),
  };
  await registered.commit(outcome);
  world.oracle.reported.add(session.id);
}

/** Heartbeats go on beside everything else, as in beginSession. */
function withHeart(session: WriterSession) {
  let beating = Promise.resolve();
  return {
    id: session.id,
    beatBeside: (): void => {
      beating = beating.then(() => session.beat()).catch(() => undefined);
    },
    beaten: () => beating,
  };
}

/** What the next snapshot holds, and which chunks of a parent are taken over without look-ups (rule 10). */
function plannedRoot(
  { world }: SimulatedProcess,
  { view, sync }: LoadedRepository,
  { parentRate, reuseRate, newestParentRate, changeRate }: WriterOptions,
): { readonly root: ModelRoot; readonly reused: ReadonlySet<ModelChunk> } {
  const { random, trees, oracle } = world;
  const valid = validSnapshots(view);
  // In the order in which they were committed.
  const parents = [...oracle.everCommitted].filter(([sid]) => valid.has(sid)).map(([, root]) => root);
  if (parents.length === 0 || !random.chance(parentRate))
    return { root: trees.random(random), reused: new Set() };
  const newest = random.chance(newestParentRate);
  const parent = trees.withId(newest ? parents.at(-1)! : random.pick(parents));
  const root = trees.changed(parent, changeRate, random);
  if (!random.chance(reuseRate)) return { root, reused: new Set() };
  // As takeSnapshot: nothing is taken over unseen while anything is condemned.
  if (world.waiting !== undefined && !sync.isSound) return { root, reused: new Set() };
  const same = root.folders.filter((folder) => parent.folders.includes(folder));
  const reused = new Set(same.flatMap(({ chunks }) => chunks));
  // A chunk that a changed folder needs too is looked up like any other.
  for (const folder of root.folders) {
    if (!same.includes(folder)) for (const chunk of folder.chunks) reused.delete(chunk);
  }
  if (root === parent) reused.add(root.tree);
  return { root, reused };
}

/** Gathers chunks into packs of both kinds. */
class ModelPacks {
  private readonly writers: Readonly<Record<ModelChunk['kind'], PackWriter>>;

  constructor(
    { repository, stagingPath }: SimulatedProcess,
    private readonly store: PackStore,
  ) {
    const { keys, algorithms, config } = repository;
    const { blockBytes, packBytes, pad, compression } = config;
    const make = (kind: ModelChunk['kind']): PackWriter => {
      const sizes = { blockBytes, packBytes, pad, compressionLevel: compression };
      return new PackWriter({ kind, keys, algorithms, ...sizes, verify: false, stagingPath });
    };
    this.writers = { data: make('data'), tree: make('tree') };
  }

  private send(pack: FinishedPack | undefined): void {
    if (pack !== undefined) this.store.store(pack);
  }

  add({ kind, id, content }: ModelChunk): void {
    this.send(this.writers[kind].add(chunkIdBytes(id), content));
  }

  finish(): void {
    for (const writer of Object.values(this.writers)) this.send(writer.finish());
  }

  /** Closes what a stopped process has open. */
  abandon(): void {
    for (const writer of Object.values(this.writers)) writer.abandon();
    this.store.finish().catch(() => undefined);
  }
}
