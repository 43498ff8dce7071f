import { homedir, tmpdir } from 'node:os';
import { Discs } from './catalog.js';
import { ChunkIndex } from './chunk-index.js';
import { Chunks } from './chunks.js';
import { newerRepository, readConfigs, verifyConfigs } from './config.js';
import type { Disc } from './disc.js';
import { EXIT, Failure } from './failure.js';
import { Keys } from './keys.js';
import { type FoundFolder, findFolders, type SearchedPlaces } from './places.js';
import { type FoundSnapshots, readSnapshots } from './snapshots.js';
import { Store } from './store.js';
import { shown } from './text.js';
import { unlock } from './unlock.js';

/** A repository, as far as discs of it are in reach. */
export class Session {
  readonly discs = new Discs();
  readonly chunks: Chunks;
  readonly index: ChunkIndex;
  private inReach: Store;
  private foundFolders: readonly FoundFolder[];
  private foreign: readonly string[] = [];
  /** Folders of other repositories that were named when it began. */
  private readonly leftOut = new Set<string>();
  private readonly told = new Set<string>();

  private constructor(
    private readonly options: SessionOptions,
    found: readonly FoundFolder[],
    store: Store,
    readonly keys: Keys,
    private readonly isEncrypted: boolean,
  ) {
    this.foundFolders = found;
    this.inReach = store;
    this.index = new ChunkIndex(keys);
    this.chunks = new Chunks(keys, this.index, store);
    this.takeIn();
  }

  /** Finds the discs and unlocks their repository. Rejects with a Failure. */
  static async open(options: SessionOptions): Promise<Session> {
    const all = findFolders(options.places);
    const found = ofOneSort(options, ofOneRepository(options, all));
    const store = new Store(found.map(({ folder }) => folder));
    const configs = readConfigs(store);
    const config = configs.configs[0];
    if (config === undefined) {
      if (configs.newer > 0) throw newerRepository();
      throw new Failure(
        EXIT.damage,
        'the config of the repository is damaged',
        'Every disc has it: add another one.',
      );
    }
    if (!config.encrypted && options.isPasswordGiven) {
      options.say('Warning: the password is not needed: by these discs the repository is not encrypted.');
      options.say('If it was, they are not its discs, and what they hold is not to be trusted.');
    }
    const id = Buffer.from(config.repository, 'hex');
    const master = config.encrypted ? unlock(store, id, await options.password(), options.say) : undefined;
    const keys = new Keys(id, master);
    verifyConfigs(configs, keys);
    const session = new Session(options, found, store, keys, config.encrypted);
    for (const { folder, repository } of all)
      if (repository !== config.repository) session.leftOut.add(folder);
    return session;
  }

  get store(): Store {
    return this.inReach;
  }

  get folders(): readonly FoundFolder[] {
    return this.foundFolders;
  }

  snapshots(): FoundSnapshots {
    return readSnapshots(this.inReach, this.keys, (text) => this.tell(text));
  }

  /** Folders in which the last look has found another repository that was not there before. */
  get foreignFolders(): readonly string[] {
    return this.foreign;
  }

  /** Discs that count and are not in reach. */
  missingDiscs(): Disc[] {
    const here = new Set(this.foundFolders.map(({ disc }) => disc?.id));
    return this.discs.all().filter(({ id }) => !here.has(id));
  }

  isHere(disc: string): boolean {
    return this.foundFolders.some((each) => each.disc?.id === disc);
  }

  /** Before somebody takes a disc out: nothing of it stays open, and nobody stands in its folder. */
  release(): void {
    this.inReach.close();
    for (const elsewhere of [tmpdir(), homedir(), '/']) {
      try {
        process.chdir(elsewhere);
        return;
      } catch {
        // The variables that name them may name what is not there.
      }
    }
  }

  /** Looks at all places again; `more`: folders with further objects. */
  lookAgain(more: readonly string[]): void {
    const repository = this.keys.repository.toString('hex');
    this.inReach.close();
    const all = findFolders({ ...this.options.places, isSecondLook: true });
    const found = all.filter((each) => each.repository === repository);
    this.foreign = all
      .filter((each) => each.repository !== repository && !this.leftOut.has(each.folder))
      .map(({ folder }) => folder);
    this.foundFolders = found.filter(
      ({ isEncrypted }) => (isEncrypted ?? this.isEncrypted) === this.isEncrypted,
    );
    for (const each of found) if (!this.foundFolders.includes(each)) this.tell(otherSort(each));
    this.inReach = new Store([...this.foundFolders.map(({ folder }) => folder), ...more]);
    this.chunks.use(this.inReach);
    this.takeIn();
  }

  private takeIn(): void {
    for (const { folder, disc, problem } of this.foundFolders) {
      if (disc !== undefined) {
        this.discs.addInfo(disc);
        this.discs.see(disc.id, this.inReach.packsIn(folder));
      }
      if (problem !== undefined) this.tell(`${folder}: ${problem}`);
    }
    this.discs.addCatalog(this.inReach, this.keys, (text) => this.tell(text));
    this.index.load(this.inReach, (text) => this.tell(text));
  }

  /** Each problem once. */
  private tell(text: string): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.options.say(`Warning: ${shown(text)}`);
  }
}

export interface SessionOptions {
  readonly places: SearchedPlaces;
  readonly password: () => Promise<Buffer>;
  readonly isPasswordGiven: boolean;
  /** One line for people, beside the output. */
  readonly say: (text: string) => void;
}

/** Those of the repository of the first folder; the others are named. */
function ofOneRepository({ say }: SessionOptions, found: readonly FoundFolder[]): FoundFolder[] {
  const repository = found[0]?.repository;
  if (repository === undefined) {
    throw new Failure(
      EXIT.noRepository,
      'no disc is in reach',
      'Say where discs are mounted or where copies of them lie: --discs DIR...',
    );
  }
  for (const each of found) {
    if (each.repository === repository) continue;
    say(
      `Left out: ${shown(each.folder)} belongs to another repository (${each.repository}, not ${repository}).`,
    );
  }
  return found.filter((each) => each.repository === repository);
}

/**
 * If discs of one repository disagree, those that say that it is encrypted: for the others nobody vouches, anyone can make one who has seen
 * a disc. The others are named.
 */
function ofOneSort({ say }: SessionOptions, found: readonly FoundFolder[]): FoundFolder[] {
  const isEncrypted = found.some((each) => each.isEncrypted === true);
  const isOther = (each: FoundFolder): boolean => isEncrypted && each.isEncrypted === false;
  for (const each of found.filter(isOther)) say(`Warning: ${otherSort(each)}`);
  return found.filter((each) => !isOther(each));
}

function otherSort({ folder, isEncrypted }: FoundFolder): string {
  const says = isEncrypted ? 'encrypted' : 'not encrypted';
  return `left out: ${shown(folder)} says that the repository is ${says}, and other discs say the opposite`;
}
