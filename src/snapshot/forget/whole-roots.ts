import { CbrError, type ChunkId, readAhead } from '../../core/index.js';
import { chunkReader, type LoadedRepository, type Reference, type Repository } from '../../repo/index.js';
import { pageReader, rootStep, type Step } from '../prune/page-steps.js';

/** So many pages are asked for at the same time. */
const STEPS_AT_ONCE = 200;

/**
 * Of these root trees, those of which everything that they reach is still stored, as far as trees and the index tell: content
 * is not read. Each page is read once, however many roots reach it. Rejects when the backend fails, and with the signal's reason.
 */
export async function wholeRoots(
  repository: Repository,
  loaded: LoadedRepository,
  roots: readonly Reference[],
  signal?: AbortSignal,
): Promise<ReadonlySet<ChunkId>> {
  const lacking = await rootsLacking(repository, loaded, roots, (id) => repository.cache.has(id), signal);
  return new Set(roots.map(({ id }) => id).filter((id) => !lacking.has(id)));
}

/** Of these root trees, those that reach something of which `isStored` says no, or that cannot be read. As `wholeRoots`. */
export async function rootsLacking(
  repository: Repository,
  loaded: LoadedRepository,
  roots: readonly Reference[],
  isStored: (id: ChunkId) => boolean,
  signal?: AbortSignal,
): Promise<ReadonlySet<ChunkId>> {
  const reader = chunkReader(repository, loaded);
  const pages = new StoredPages(isStored);
  for (const root of roots) pages.add(root);
  for (let steps = pages.next(); steps.length > 0; steps = pages.next()) {
    signal?.throwIfAborted();
    const plains = readAhead(steps, STEPS_AT_ONCE, ({ chunk: { id, length } }) =>
      reader.read('tree', id, length).catch(ifLost),
    );
    let taken = 0;
    for await (const plain of plains) pages.take(steps[taken++]!, plain);
  }
  const lacking = pages.lacking();
  return new Set(roots.map(({ id }) => id).filter((id) => lacking.has(id)));
}

/** What was read is missing or is not what was stored. */
export function isLoss(error: unknown): error is CbrError {
  return error instanceof CbrError && ['damaged', 'format', 'object-not-found'].includes(error.code);
}

function ifLost(error: unknown): undefined {
  if (!isLoss(error)) throw error;
  return undefined;
}

/** Which pages name which, and which of them lack something that they name. */
class StoredPages {
  private readonly namedBy = new Map<ChunkId, ChunkId[]>();
  private readonly lack = new Set<ChunkId>();
  private readonly steps: Step[] = [];
  private readonly read: ReturnType<typeof pageReader>;
  /** The page that is being read. */
  private page: ChunkId | undefined;

  constructor(private readonly isStored: (id: ChunkId) => boolean) {
    const need = ({ id }: Reference): void => {
      if (!this.isStored(id)) this.lack.add(this.page!);
    };
    this.read = pageReader({ step: (next) => this.meet(next), attribute: need, content: need });
  }

  add(root: Reference): void {
    this.page = undefined;
    this.meet(rootStep(root));
  }

  /** Pages to be read and taken next, none when all were. */
  next(): Step[] {
    return this.steps.splice(-STEPS_AT_ONCE);
  }

  /** Without bytes: it could not be read. */
  take(step: Step, plain: Uint8Array | undefined): void {
    this.page = step.chunk.id;
    try {
      if (plain === undefined) this.lack.add(this.page);
      else this.read(step, plain);
    } catch (error) {
      ifLost(error);
      this.lack.add(this.page);
    }
  }

  /** Pages that cannot be read, or below which something is not stored. */
  lacking(): ReadonlySet<ChunkId> {
    // What is added on the way is visited, too.
    for (const id of this.lack) for (const page of this.namedBy.get(id) ?? []) this.lack.add(page);
    return this.lack;
  }

  private meet(next: Step): void {
    const { id } = next.chunk;
    const known = this.namedBy.get(id);
    const by = this.page === undefined ? [] : [this.page];
    if (known !== undefined) {
      known.push(...by);
      return;
    }
    this.namedBy.set(id, by);
    if (this.isStored(id)) this.steps.push(next);
    else this.lack.add(id);
  }
}
