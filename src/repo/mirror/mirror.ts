import {
  type Backend,
  forEachParallel,
  type ObjectReader,
  objectPath,
  removeStaleTemporaries,
} from '../../backends/index.js';
import { CbrError, DamagedError, ObjectNotFoundError, sameBytes } from '../../core/index.js';
import { readConfigs } from '../config.js';
import { proveObject, twiceIfDamaged } from '../scrub/prove-object.js';
import type { DamagedObject, ObjectProgress } from '../scrub/scrub.js';
import { copyObject, readObject, writeObject } from './copy-object.js';
import { changesTooOften, listObjects, listSource } from './list-source.js';
import { type MirrorMemory, readMemory, removeOldMemories, writeMemory } from './mirror-record.js';
import {
  type Listing,
  listingOf,
  MIRRORED_KINDS,
  type MirroredKind,
  type MirroredObject,
} from './mirrored-kinds.js';
import { type MirrorPlan, planMirror } from './plan-mirror.js';

export interface MirrorOptions {
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  /** How long index segments and packs stay that the source no longer has, in seconds. */
  readonly keepGone: number;
  /** A folder for packs on their way. */
  readonly stagingFolder: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onProgress?: (progress: ObjectProgress) => void;
}

export interface MirrorReport {
  /** Copied, or with a dry run to be copied. */
  readonly copied: { readonly objects: number; readonly bytes: number };
  /** There already. */
  readonly present: number;
  readonly removed: { readonly objects: number; readonly bytes: number };
  /** Index segments and packs that the source no longer has and that a later mirror removes. */
  readonly waiting: number;
  /** Keys that were removed from the source and had to stay. */
  readonly keysLeft: readonly string[];
  /** Objects of the source that do not prove themselves right, and were not copied. */
  readonly damaged: readonly DamagedObject[];
  /** Paths of what the source has lost and the mirror keeps. */
  readonly lost: readonly string[];
  /** How often it had to begin again, since a prune removed what was to be copied. */
  readonly restarts: number;
}

/** Each time a prune has removed something that was listed: it has an end. */
const MOST_ATTEMPTS = 6;

/** So many records are read at a time that are then written one by one. */
const READ_AHEAD = 64;

/** Something that was listed is gone. */
class StartOver extends Error {}

/**
 * Makes the target what the source is: every object but sessions, marks and heartbeats, each proved by its own digest on the way;
 * no key is needed. The target opens as a repository with the same passwords.
 *
 * **Consistent at every moment** (design.md, I1 to I4), so that an interrupted mirror is a repository too, an older one or one
 * between the older and the newer:
 *
 * 1. `listSource` yields a state that is whole: its snapshots, with all that they need.
 * 2. The record of the mirror is written: it names all that follows.
 * 3. Keys, then the config: from here on the target is a repository, which opens, and has no snapshot.
 * 4. Packs, then index segments: these name packs that are there (I3), and make nothing invalid. Then leases and forgotten records:
 *    they only make more segments count, whose packs are there. (A forgotten snapshot may have seen one that is yet to come: until
 *    then check says that this one vanished.)
 * 5. Snapshots, each after those that ended before it, one by one: a segment counts by the outcome of its author, so when one can be
 *    seen all that it relies on counts (I4, and by it I1 and I2). Where the store does not tell their order, a mirror that is
 *    interrupted here may leave one without an earlier one; done again it is whole.
 * 6. Notes, policies, catalog: of snapshots that are there.
 * 7. What the source has removed, in the order in which it did: snapshots of which the forgotten record is there, index segments,
 *    packs. These two wait, see below. Segments that stay name packs that stay: a prune removes them first, so they wait no longer.
 *
 * **What the source has lost is no reason to remove anything.** Without a key nobody can tell a pack that was pruned from one that
 * was lost, nor a snapshot that was forgotten, or a key that was removed, from what a thief has put in its place: so all that is
 * gone stays for `keepGone`, in which the owner of the source can notice, and stays while anything is found damaged or lost.
 *
 * Rejects with `target` when the target is something else than a mirror of this repository, or was written to by anybody else:
 * nothing was changed then; with `busy` when the source never comes to rest.
 */
export async function mirror(
  source: ObjectReader,
  openTarget: () => Promise<Backend>,
  options: MirrorOptions,
): Promise<MirrorReport> {
  const { repository } = (await readConfigs(source))[0].config;
  const target = await openTarget();
  try {
    if (target.stagingFolder !== undefined && !options.dryRun)
      await removeStaleTemporaries(target.stagingFolder, 0, options.now());
    const run = new MirrorRun(source, target, repository, options);
    for (let attempts = 1; ; attempts++) {
      try {
        return await run.attempt(attempts - 1);
      } catch (error) {
        if (!(error instanceof StartOver)) throw error;
        if (attempts === MOST_ATTEMPTS) throw changesTooOften(source);
      }
    }
  } finally {
    await target.close();
  }
}

class MirrorRun {
  private readonly damaged = new Map<string, DamagedObject>();
  private copied = { objects: 0, bytes: 0 };
  private removed = { objects: 0, bytes: 0 };
  private progress = { objects: 0, totalObjects: 0, bytes: 0, totalBytes: 0 };
  private readonly concurrency: number;

  constructor(
    private readonly source: ObjectReader,
    private readonly target: Backend,
    private readonly repository: Uint8Array,
    private readonly options: MirrorOptions,
  ) {
    this.concurrency = Math.min(source.concurrency, target.concurrency);
  }

  async attempt(restarts: number): Promise<MirrorReport> {
    const { options, target } = this;
    await this.refuseOthers();
    const { number, memory } = await readMemory(target, this.call);
    if (memory !== undefined && !sameBytes(memory.repository, this.repository)) throw this.isOther();
    const isRemovable = target.capabilities.removable;
    const plan = planMirror({
      source: await listSource(this.source, this.call),
      target: await this.listTarget(),
      memory,
      now: Math.floor(options.now() / 1000),
      keepGone: isRemovable ? options.keepGone : undefined,
    });
    if (plan.foreign.length > 0) throw this.isForeign(plan.foreign, memory === undefined);
    const replaced = await this.settleDiffering(plan.differing);
    if (options.dryRun) return this.planned(plan, replaced);
    const copied = [...replaced, ...plan.copied];
    this.progress = { ...totalsOf(copied), objects: 0, bytes: 0 };
    if (memory === undefined) await this.copyKinds(copied, ['keys', 'config']);
    await this.remember(plan, number);
    await this.removeDamaged(replaced);
    await this.copyKinds(copied, ['keys', 'config']);
    await this.copyKinds(copied, MIRRORED_KINDS.slice(2));
    // Somebody may have taken it for a repository meanwhile, and rely on what is to go.
    await this.refuseOthers();
    const keysLeft = [...plan.waitingKeys, ...(await this.removeKeys(plan))].sort();
    const left = isRemovable ? await this.removeGone(plan) : 0;
    return this.report(plan, restarts, keysLeft, plan.waiting + left);
  }

  private get call(): { readonly signal: AbortSignal } {
    return { signal: this.options.signal };
  }

  /** Rejects when the target holds another repository, or somebody writes to it as to a repository. */
  private async refuseOthers(): Promise<void> {
    const { target } = this;
    let isRepository = false;
    for await (const _ of target.list('config', this.call)) isRepository = true;
    if (isRepository) {
      const { repository } = (await readConfigs(target))[0].config;
      if (!sameBytes(repository, this.repository)) throw this.isOther();
    }
    const writers: string[] = [];
    for (const kind of ['sessions', 'marks'] as const) {
      for await (const { name } of target.list(kind, this.call)) writers.push(objectPath(kind, name));
    }
    for await (const { name } of target.list('leases', this.call)) {
      if (name.startsWith('prune-alive/')) writers.push(objectPath('leases', name));
    }
    if (writers.length > 0) throw this.isForeign(writers, false);
  }

  private isOther(): CbrError {
    return new CbrError('target', `${this.target.location} holds another repository`, {
      hint: 'Nothing was changed there. Name an empty folder or prefix, or the mirror of this repository.',
    });
  }

  private isForeign(paths: readonly string[], isNoMirror: boolean): CbrError {
    const { location } = this.target;
    // Snapshots tell more than packs do.
    const named = [...paths].reverse().slice(0, 3).join(', ');
    const what = paths.length > 3 ? `${named} and ${paths.length - 3} more` : named;
    if (isNoMirror) {
      return new CbrError('target', `${location} holds a repository that no mirror has made (${what})`, {
        hint: 'Nothing was changed there. Mirror to an empty folder or prefix.',
      });
    }
    return new CbrError('target', `${location} was written to by something else than the mirror: ${what}`, {
      hint:
        'Nothing was changed there. It has become a repository of its own: copy snapshots that were stored there by mistake to ' +
        'the source (cbr copy), and mirror to an empty folder or prefix.',
    });
  }

  private async listTarget(): Promise<Listing> {
    const found = new Map<MirroredKind, Awaited<ReturnType<typeof listObjects>>>();
    for (const kind of MIRRORED_KINDS) found.set(kind, await listObjects(this.target, kind, this.call));
    return listingOf((kind) => found.get(kind)!);
  }

  /** Of what differs, what is damaged in the target and whole in the source. */
  private async settleDiffering(differing: readonly MirroredObject[]): Promise<MirroredObject[]> {
    const replaced: MirroredObject[] = [];
    for (const object of differing) {
      const { kind, name } = object;
      if (!(await this.isProved(this.source, object))) continue;
      const there = await this.target.stat(kind, name, this.call);
      const isWhole = await twiceIfDamaged(() => proveObject(this.target, kind, there, this.call)).then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof DamagedError)) throw error;
          return false;
        },
      );
      // The record names it, so it is none that somebody made here: it is kept, and the rest goes on.
      if (isWhole)
        this.keepDamage(object, 'differs from that of the mirror, though both are whole: it was replaced');
      else if (this.target.capabilities.removable) replaced.push(object);
      else this.keepDamage(object, 'is damaged in the mirror, from which nothing may be removed');
    }
    return replaced;
  }

  /** False when it is damaged, which is kept for the report. */
  private async isProved(source: ObjectReader, object: MirroredObject): Promise<boolean> {
    return this.unlessDamaged(object, () =>
      twiceIfDamaged(() => proveObject(source, object.kind, object, this.call)),
    );
  }

  private async unlessDamaged({ kind, name }: MirroredObject, read: () => Promise<void>): Promise<boolean> {
    const object = objectPath(kind, name);
    try {
      await read();
      return true;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) throw new StartOver();
      if (!(error instanceof DamagedError)) throw error;
      this.keepDamage({ kind, name }, error.message.replace(`${object}: `, ''));
      return false;
    }
  }

  private keepDamage({ kind, name }: Pick<MirroredObject, 'kind' | 'name'>, reason: string): void {
    const object = objectPath(kind, name);
    this.damaged.set(object, { kind, object, reason });
  }

  private async remember({ nextMemory }: MirrorPlan, number: number): Promise<void> {
    if (nextMemory === undefined) return;
    const time = Math.floor(this.options.now() / 1000);
    const memory: MirrorMemory = { repository: this.repository, time, ...nextMemory };
    await writeMemory(this.target, number + 1, memory, this.call);
    if (this.target.capabilities.removable) await removeOldMemories(this.target, number + 1, this.call);
  }

  /** Only now: the whole ones are read again and written at once. */
  private async removeDamaged(replaced: readonly MirroredObject[]): Promise<void> {
    for (const { kind, name } of replaced) await this.target.remove(kind, name, this.call);
  }

  private async copyKinds(objects: readonly MirroredObject[], kinds: readonly MirroredKind[]): Promise<void> {
    for (const kind of kinds) {
      const its = objects.filter((each) => each.kind === kind && !this.isDone(each));
      if (kind === 'snapshots') await this.copyInOrder(its);
      else await forEachParallel(its, this.concurrency, (object) => this.copy(object));
    }
  }

  private readonly done = new Set<string>();

  private isDone({ kind, name }: MirroredObject): boolean {
    return this.done.has(`${kind}/${name}`);
  }

  private async copy(object: MirroredObject): Promise<void> {
    this.options.signal.throwIfAborted();
    const call = { ...this.call, stagingFolder: this.target.stagingFolder ?? this.options.stagingFolder };
    const isCopied = await this.unlessDamaged(object, () =>
      copyObject(this.source, this.target, object, call),
    );
    this.count(object, isCopied);
  }

  /** By the time at which they were written; what is small is read ahead. */
  private async copyInOrder(objects: readonly MirroredObject[]): Promise<void> {
    const ordered = [...objects].sort(
      (a, b) => (a.written ?? 0) - (b.written ?? 0) || (a.name < b.name ? -1 : 1),
    );
    for (let begin = 0; begin < ordered.length; begin += READ_AHEAD) {
      const some = ordered.slice(begin, begin + READ_AHEAD);
      const read = new Map<MirroredObject, Uint8Array>();
      await forEachParallel(some, this.source.concurrency, async (object) => {
        await this.unlessDamaged(object, async () => {
          read.set(object, await readObject(this.source, object, this.call));
        });
      });
      for (const object of some) {
        const bytes = read.get(object);
        if (bytes !== undefined) await writeObject(this.target, object, bytes, this.call);
        this.count(object, bytes !== undefined);
      }
    }
  }

  private count(object: MirroredObject, isCopied: boolean): void {
    const path = objectPath(object.kind, object.name);
    this.done.add(`${object.kind}/${object.name}`);
    if (isCopied) {
      this.copied.objects++;
      this.copied.bytes += object.size;
    }
    this.progress.objects++;
    this.progress.bytes += object.size;
    this.options.onProgress?.({ ...this.progress, current: path });
  }

  /** A key that was removed must open nothing, here neither; but one that opens it must be left. Yields those that had to stay. */
  private async removeKeys({ removedKeys: keys, lost }: MirrorPlan): Promise<string[]> {
    if (keys.length === 0) return [];
    const leaving = new Set(keys.map(({ name }) => name));
    let others = 0;
    for (const object of (await listObjects(this.target, 'keys', this.call)).values()) {
      if (leaving.has(object.name)) continue;
      if (await this.isProved(this.target, { kind: 'keys', ...object })) others++;
    }
    const isDoubtful = lost.length > 0 || this.damaged.size > 0;
    if (others === 0 || isDoubtful || !this.target.capabilities.removable) return [...leaving];
    await this.remove('keys', keys);
    return [];
  }

  /** Yields how many objects stay although their time is over. */
  private async removeGone({ removed, lost }: MirrorPlan): Promise<number> {
    const isDoubtful = lost.length > 0 || this.damaged.size > 0;
    let left = 0;
    for (const kind of ['snapshots', 'notes', 'index', 'packs'] as const) {
      const its = removed.filter((each) => each.kind === kind);
      if (its.length === 0) continue;
      if (isDoubtful) left += its.length;
      else if (kind === 'snapshots') await this.remove(kind, await this.forgottenThere(its));
      else await this.remove(kind, its);
    }
    return left;
  }

  /** Without the record it would not be forgotten but vanished: one that is damaged in the source was not copied. */
  private async forgottenThere(snapshots: readonly MirroredObject[]): Promise<MirroredObject[]> {
    const there = await listObjects(this.target, 'forgotten', this.call);
    return snapshots.filter(({ name }) => there.has(name));
  }

  private async remove(kind: MirroredKind, objects: readonly MirroredObject[]): Promise<void> {
    await this.target.removeMany(
      kind,
      objects.map(({ name }) => name),
      this.call,
    );
    this.removed.objects += objects.length;
    this.removed.bytes += objects.reduce((sum, { size }) => sum + size, 0);
  }

  private planned(plan: MirrorPlan, replaced: readonly MirroredObject[]): MirrorReport {
    const copied = totalsOf([...replaced, ...plan.copied]);
    const removed = totalsOf([...plan.removedKeys, ...plan.removed]);
    this.copied = { objects: copied.totalObjects, bytes: copied.totalBytes };
    this.removed = { objects: removed.totalObjects, bytes: removed.totalBytes };
    return this.report(plan, 0, [...plan.waitingKeys].sort(), plan.waiting);
  }

  private report(
    { present, lost }: MirrorPlan,
    restarts: number,
    keysLeft: readonly string[],
    waiting: number,
  ): MirrorReport {
    const damaged = [...this.damaged.values()].sort((a, b) => (a.object < b.object ? -1 : 1));
    const { copied, removed } = this;
    return { copied, present, removed, waiting, keysLeft, damaged, lost, restarts };
  }
}

function totalsOf(objects: readonly MirroredObject[]): { totalObjects: number; totalBytes: number } {
  return { totalObjects: objects.length, totalBytes: objects.reduce((sum, { size }) => sum + size, 0) };
}
