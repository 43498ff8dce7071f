import {
  type Backend,
  type ByteRange,
  type CallOptions,
  type Gathering,
  type ListedObject,
  type ObjectKind,
  objectPath,
  type ReadOptions,
  type StagedFile,
  type WriteOptions,
} from '../../backends/index.js';
import { ObjectExistsError, ObjectNotFoundError } from '../../core/index.js';
import { RECORDS } from './append-staged.js';
import { gatheringOfImages } from './gather-images.js';
import type { ImageView } from './image-view.js';

/** What is to get on an image soon, whoever reads the images alone: records of others wait for the next of these. */
const APPENDED_SOON: readonly ObjectKind[] = ['keys', 'forgotten'];

export interface StagedParts {
  readonly location: string;
  /** What was written; what is on images in the end is a copy of it. */
  readonly staged: Backend;
  /** An empty object for each one that is on an image and was removed. */
  readonly hidden: Backend;
  readonly view: ImageView;
  /** Appends what is staged to the images. */
  readonly append: () => Promise<void>;
}

/**
 * A repository that lives on images: what is written is staged in a folder, and appended to the images as a session when it is closed
 * after a snapshot. Sessions, leases and marks are staged only. What is on an image cannot be removed: it is hidden.
 */
export class StagedBackend implements Backend {
  readonly location: string;
  readonly concurrency: number;
  readonly capabilities = Object.freeze({ createOnly: true, writable: true, removable: true, frees: false });
  readonly stagingFolder: string;
  readonly gathering: Gathering;
  private hasChanged = false;

  constructor(private readonly parts: StagedParts) {
    this.location = parts.location;
    this.concurrency = parts.staged.concurrency;
    this.gathering = gatheringOfImages(parts.view);
    this.stagingFolder = parts.staged.stagingFolder!;
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    for (const object of await this.listAll(kind, options)) {
      options.signal?.throwIfAborted();
      yield object;
    }
  }

  private async listAll(kind: ObjectKind, options: CallOptions): Promise<ListedObject[]> {
    const { staged, hidden, view } = this.parts;
    for (;;) {
      const before = await view.current();
      const found = new Map<string, ListedObject>();
      for await (const object of staged.list(kind, options)) found.set(object.name, object);
      if ((await view.current()).mark !== before.mark) continue;
      if (before.images === undefined) return [...found.values()];
      const gone = new Set<string>();
      for await (const { name } of hidden.list(kind, options)) gone.add(name);
      for await (const object of before.images.list(kind, options)) {
        if (!found.has(object.name) && !gone.has(object.name)) found.set(object.name, object);
      }
      return [...found.values()];
    }
  }

  async stat(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<ListedObject> {
    return this.either(kind, name, options, (backend) => backend.stat(kind, name, options));
  }

  async read(
    kind: ObjectKind,
    name: string,
    range?: ByteRange,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    return this.either(kind, name, options, (backend) => backend.read(kind, name, range, options));
  }

  /** What is staged, else what is on an image: who leaves the one is in the other before. */
  private async either<T>(
    kind: ObjectKind,
    name: string,
    options: CallOptions,
    use: (backend: Backend) => Promise<T>,
  ): Promise<T> {
    try {
      return await use(this.parts.staged);
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      if (await this.isHidden(kind, name, options)) throw error;
      return this.fromImages(error, use);
    }
  }

  /** Another process may append meanwhile: what was open is closed then. */
  private async fromImages<T>(absent: unknown, use: (backend: Backend) => Promise<T>): Promise<T> {
    const { view } = this.parts;
    for (;;) {
      const { images, mark } = await view.current();
      if (images === undefined) throw absent;
      try {
        return await use(images);
      } catch (error) {
        if ((await view.current()).mark === mark) throw error;
      }
    }
  }

  async write(
    kind: ObjectKind,
    name: string,
    data: Uint8Array | StagedFile,
    options: WriteOptions = {},
  ): Promise<void> {
    if (await this.isOnImage(kind, name, options)) throw new ObjectExistsError(objectPath(kind, name));
    await this.parts.staged.write(kind, name, data, options);
    await this.noteChange(kind);
  }

  /** A key or a forgotten snapshot is no reason to begin the first image. */
  private async noteChange(kind: ObjectKind): Promise<void> {
    if (kind === 'snapshots') this.hasChanged = true;
    else if (APPENDED_SOON.includes(kind) && (await this.parts.view.current()).images !== undefined)
      this.hasChanged = true;
  }

  async remove(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<void> {
    // First: it must not come back from the image.
    if ((await this.isOnImage(kind, name, options)) || (await this.mayComeBack(kind))) {
      await this.parts.hidden.write(kind, name, new Uint8Array(0), options).catch((error: unknown) => {
        if (!(error instanceof ObjectExistsError)) throw error;
      });
    }
    await this.parts.staged.remove(kind, name, options);
    // Another process may have appended it meanwhile.
    if (await this.isOnImage(kind, name, options)) return this.remove(kind, name, options);
    await this.noteChange(kind);
  }

  async removeMany(kind: ObjectKind, names: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const name of names) await this.remove(kind, name, options);
  }

  private async isOnImage(kind: ObjectKind, name: string, options: CallOptions): Promise<boolean> {
    const { images } = await this.parts.view.current();
    if (images === undefined) {
      // A name that nobody may have is refused all the same.
      await this.parts.staged.stat(kind, name, options).catch((error: unknown) => {
        if (!(error instanceof ObjectNotFoundError)) throw error;
      });
      return false;
    }
    try {
      await images.stat(kind, name, options);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return false;
      throw error;
    }
    return !(await this.isHidden(kind, name, options));
  }

  /** Whether an image that was moved away may have an object of this kind when it is put back: labels tell of packs alone. */
  private async mayComeBack(kind: ObjectKind): Promise<boolean> {
    if (!RECORDS.includes(kind)) return false;
    const { images } = await this.parts.view.current();
    return images?.discs().some(({ files }) => files.length === 0) === true;
  }

  private async isHidden(kind: ObjectKind, name: string, options: CallOptions): Promise<boolean> {
    try {
      await this.parts.hidden.stat(kind, name, options);
      return true;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return false;
      throw error;
    }
  }

  /** Rejects when what was stored could not be appended to the images: it is staged still, and the next snapshot takes it along. */
  async close(): Promise<void> {
    const { staged, hidden, view, append } = this.parts;
    try {
      if (this.hasChanged) await append();
    } finally {
      await view.close();
      await staged.close();
      await hidden.close();
    }
  }
}
