import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Backend, type ObjectKind, objectPath } from '../../backends/index.js';
import { BackendError, CbrError, ObjectNotFoundError } from '../../core/index.js';
import { readConfigs } from '../../repo/index.js';
import { fillDisc } from '../fit.js';
import type { DiscBackend } from '../images/disc-backend.js';
import type { ReportDisc } from '../images/disc-place.js';
import type { DiscLabel } from '../label.js';
import { freeBytes, SECTOR_BYTES } from '../media.js';
import { startsNewDisc } from '../new-disc.js';
import { estimateBytes, inSectors } from '../set/disc-file.js';
import type { RestoreSources } from '../set/disc-layout.js';
import { SHARED_SHARE } from '../set/plan-discs.js';
import type { ProgramMark } from '../xorriso/program-file.js';
import { syncPath } from '../xorriso/publish-image.js';
import { type CurrentImage, currentImage, freshImage, rememberLabel } from './current-image.js';
import { ImageSession, type SessionFacts, type StagedObject } from './image-session.js';
import { type ImageView, leaveMark } from './image-view.js';
import { type StagedSettings, stagingFolderOf } from './staged-settings.js';

/** Appends what is staged to the images: as one session or, where an image is full, as one on each. */

/** What stands on images beside packs; sessions, leases and marks never do. */
export const RECORDS: readonly ObjectKind[] = [
  // In this order: what a commit names is durable before it, and so it is found when it is looked for later.
  ...(['snapshots', 'forgotten', 'index'] as const),
  ...(['config', 'keys', 'notes', 'policies', 'catalog'] as const),
];
const NAMED_BY_DIGEST: readonly ObjectKind[] = ['packs', 'index'];
/** On each image, so that it can be opened by itself. */
const ON_EACH: readonly ObjectKind[] = ['config', 'keys'];
/** On each as far as there is room, the first ones first: so the newest disc tells of all that there is. */
const ON_EACH_THAT_HAS_ROOM: readonly (readonly ObjectKind[])[] = [
  ['snapshots', 'forgotten', 'notes', 'policies', 'catalog'],
  ['index'],
];
/** Of what is staged, in turn. */
type Groups = readonly (readonly StagedObject[])[];
/** A disc is measured so often until it is full. */
const MOST_ATTEMPTS = 6;

export interface AppendRequest {
  readonly folder: string;
  readonly settings: StagedSettings;
  /** In a folder of this machine. */
  readonly staged: Backend;
  /** Names of what is on images and was removed. */
  readonly hidden: Backend;
  readonly view: ImageView;
  /** By which others can tell that xorriso writes. */
  readonly mark: ProgramMark;
  readonly restore: RestoreSources;
  readonly report: ReportDisc;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * Appends all that is staged and not on an image, packs first. What leaves staging is removed there when the image is durable, and not
 * before. Rejects as xorriso does, and with `limit` when a pack does not fit on a disc; what is not on an image stays staged then.
 */
export async function appendStaged(request: AppendRequest): Promise<void> {
  const { folder, settings, staged, restore, mark, now, signal } = request;
  const workFolder = join(stagingFolderOf(folder), 'work');
  await rm(workFolder, { recursive: true, force: true });
  await mkdir(workFolder, { recursive: true });
  try {
    const repository = Buffer.from((await readConfigs(staged))[0].config.repository).toString('hex');
    // First: what is committed after that is not taken for what was on images before.
    const groups = await groupsThere(staged);
    const records = await notOnImages(request, RECORDS);
    const facts: Facts = {
      label: {
        repository,
        set: settings.set,
        medium: settings.medium.name,
        created: new Date(now()).toISOString(),
      },
      ...onNewImages(groups, records, settings),
      hidden: await hiddenPaths(request.hidden),
      restore,
      workFolder,
      mark,
      time: Math.floor(now() / 1000),
      signal,
    };
    await fillImages(request, facts, records);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

interface Facts extends SessionFacts {
  /** What a new image gets that has no room for a pack besides all the others. */
  readonly onEachAtLeast: readonly StagedObject[];
}

async function groupsThere(staged: Backend): Promise<Groups> {
  const groups: StagedObject[][] = [];
  for (const kinds of [ON_EACH, ...ON_EACH_THAT_HAS_ROOM]) {
    const its: StagedObject[] = [];
    for (const kind of kinds) its.push(...(await objectsOf(staged, kind)));
    groups.push(its);
  }
  return groups;
}

/** What a new image gets. Nothing of it is new: what a commit names must be on an image before it. */
function onNewImages(
  [onEachAtLeast = [], ...more]: Groups,
  records: readonly StagedObject[],
  settings: StagedSettings,
): Pick<Facts, 'onEach' | 'onEachAtLeast'> {
  const fresh = new Set(records.map(({ to }) => to));
  const room = estimateBytes(onEachAtLeast) + SHARED_SHARE * capacityOf(settings);
  let onEach = onEachAtLeast;
  for (const group of more) {
    const all = [...onEach, ...group.filter(({ to }) => !fresh.has(to))];
    if (estimateBytes(all) > room) break;
    onEach = all;
  }
  return { onEach, onEachAtLeast };
}

/** Bytes that an image may have. */
function capacityOf({ medium, cushion }: StagedSettings): number {
  return Math.floor(freeBytes(medium, undefined, cushion) / SECTOR_BYTES) * SECTOR_BYTES;
}

async function fillImages(
  request: AppendRequest,
  facts: Facts,
  records: readonly StagedObject[],
): Promise<void> {
  const { folder, settings } = request;
  const { set, medium, newDisc } = settings;
  const capacity = capacityOf(settings);
  let packs = await notOnImages(request, ['packs']);
  let image = await currentImage(folder, set, facts.label.repository);
  if (newDisc !== undefined && !image.isNew) {
    const session = new ImageSession(image, facts);
    const [now, then] = [await session.bytesWith([], []), await session.bytesWith(packs, records)];
    const room = { available: Math.max(0, capacity - now), required: then - now, factor: newDisc };
    if (startsNewDisc(room)) image = freshImage(folder, set, session.discsWith([]));
  }
  let onEach = facts.onEach;
  while (packs.length > 0 || records.length > 0) {
    const session = new ImageSession(image, { ...facts, onEach });
    const shared = image.isNew ? onEach : [];
    if ((await session.bytesWith(packs, records)) <= capacity) {
      await settle(request, await session.write(packs, records), packs, [...shared, ...records]);
      return tellWritten(request, session.image, false);
    }
    const some = await thatFit(session, packs, capacity);
    if (some.length > 0) {
      await settle(request, await session.write(some, []), some, shared);
      tellWritten(request, session.image, true);
      const taken = new Set(some);
      packs = packs.filter((pack) => !taken.has(pack));
    } else if (image.isNew && onEach.length > facts.onEachAtLeast.length) {
      onEach = facts.onEachAtLeast;
      continue;
    } else if (image.isNew) {
      throw new CbrError('limit', `not even one pack fits on a disc of ${medium.name}`, {
        hint: 'It stays in the staging folder. Copy the repository to one for larger media: cbr copy.',
      });
    }
    image = freshImage(folder, set, session.discsWith(some));
    onEach = facts.onEach;
  }
}

/** Whoever burns images has to know which one is another than before. */
function tellWritten({ report }: AppendRequest, { path, isNew }: CurrentImage, isFull: boolean): void {
  const what = isNew ? 'is a new image' : 'has one more session';
  report({ severity: 'note', reason: `${path} ${what}${isFull ? ', and is full' : ''}` });
}

/** As many packs as fit on what is left of the image, the oldest first. */
async function thatFit(
  session: ImageSession,
  packs: readonly StagedObject[],
  capacity: number,
): Promise<readonly StagedObject[]> {
  const items = packs.map((pack) => ({
    name: pack.to,
    size: inSectors(pack.size) + 2 * SECTOR_BYTES + pack.to.length,
    pack,
  }));
  let free = capacity - (await session.bytesWith([], []));
  for (let attempt = 0; attempt < MOST_ATTEMPTS && free > 0; attempt++) {
    const some = fillDisc(items, free, 'first').items.map(({ pack }) => pack);
    if (some.length === 0) break;
    const bytes = await session.bytesWith(some, []);
    if (bytes <= capacity) return some;
    free -= bytes - capacity;
  }
  return [];
}

/**
 * Remembers the images as they are, says that they have changed, and then removes what they hold now. Of the records that were written, what
 * another process removed meanwhile is hidden: it may have looked before it was on an image.
 */
async function settle(
  { folder, staged, hidden }: AppendRequest,
  label: DiscLabel,
  packs: readonly StagedObject[],
  records: readonly StagedObject[],
): Promise<void> {
  await rememberLabel(folder, label);
  await removeStaged(folder, staged, packs);
  for (const { to } of records) {
    const { kind, name } = objectOf(to);
    if (await isIn(staged, kind, name)) continue;
    if (!(await isIn(hidden, kind, name))) await hidden.write(kind, name, new Uint8Array(0));
  }
}

async function isIn(backend: Backend, kind: ObjectKind, name: string): Promise<boolean> {
  try {
    await backend.stat(kind, name);
    return true;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}

async function removeStaged(folder: string, staged: Backend, packs: readonly StagedObject[]): Promise<void> {
  await leaveMark(folder, randomBytes(8).toString('hex'));
  for (const { sha256 } of packs) await staged.remove('packs', sha256!);
}

/** Packs that a run which was ended left staged although they are on an image are removed. */
async function notOnImages(
  { folder, staged, view }: AppendRequest,
  kinds: readonly ObjectKind[],
): Promise<StagedObject[]> {
  const { images } = await view.current();
  const found: StagedObject[] = [];
  const left: StagedObject[] = [];
  for (const kind of kinds) {
    const there = new Set<string>();
    if (images !== undefined) for await (const { name } of images.list(kind)) there.add(name);
    for (const object of await objectsOf(staged, kind)) {
      const { name } = objectOf(object.to);
      if (!there.has(name)) found.push(object);
      else if (kind === 'packs') ((await isProven(images!, name)) ? left : found).push(object);
    }
  }
  if (left.length > 0) {
    // Whoever appended them may have been ended before that.
    await makeDurable(folder, images!, left);
    await removeStaged(folder, staged, left);
  }
  return found;
}

/** The images that have these packs, and their names. */
async function makeDurable(
  folder: string,
  images: DiscBackend,
  packs: readonly StagedObject[],
): Promise<void> {
  const discs = packs.flatMap(({ sha256 }) => images.discsOf('packs', sha256!));
  const places = discs.flatMap(({ files }) => files.map(({ place }) => place));
  for (const path of new Set([...places, folder])) await syncPath(path);
}

/** Whether an image has the bytes of which the name is the digest. */
async function isProven(images: Backend, name: string): Promise<boolean> {
  try {
    return (
      createHash('sha256')
        .update(await images.read('packs', name))
        .digest('hex') === name
    );
  } catch (error) {
    if (error instanceof BackendError) throw error;
    return false;
  }
}

async function objectsOf(staged: Backend, kind: ObjectKind): Promise<StagedObject[]> {
  const found: StagedObject[] = [];
  for await (const { name, size } of staged.list(kind)) {
    const to = objectPath(kind, name);
    found.push({
      to,
      from: join(staged.folder!, to),
      size,
      ...(NAMED_BY_DIGEST.includes(kind) ? { sha256: name } : {}),
    });
  }
  return found;
}

async function hiddenPaths(hidden: Backend): Promise<ReadonlySet<string>> {
  const paths = new Set<string>();
  for (const kind of ['packs', ...RECORDS] as const) {
    for await (const { name } of hidden.list(kind)) paths.add(objectPath(kind, name));
  }
  return paths;
}

function objectOf(path: string): { readonly kind: ObjectKind; readonly name: string } {
  const [kind, ...rest] = path.split('/') as [ObjectKind, ...string[]];
  return { kind, name: (kind === 'packs' ? rest.slice(1) : rest).join('/') };
}
