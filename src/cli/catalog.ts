import type { CommandModule } from './command.js';

/** A command by name: a module that is loaded when it is needed, or a group of further commands. */
export type CatalogEntry = CatalogCommand | CatalogGroup;

export interface CatalogCommand {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

export interface CatalogGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CatalogCommand[];
}

/** All commands, in the order in which the help lists them. */
export const CATALOG: readonly CatalogEntry[] = [
  {
    name: 'init',
    summary: 'make a repository',
    load: async () => (await import('./commands/init.js')).init,
  },
  {
    name: 'snapshot',
    summary: 'take a snapshot of files and folders',
    load: async () => (await import('./commands/snapshot.js')).snapshot,
  },
  {
    name: 'snapshots',
    summary: 'list the snapshots',
    load: async () => (await import('./commands/snapshots.js')).snapshots,
  },
  {
    name: 'ls',
    summary: 'list what is in a snapshot',
    load: async () => (await import('./commands/ls.js')).ls,
  },
  {
    name: 'find',
    summary: 'find files and folders in snapshots, and all their versions',
    load: async () => (await import('./commands/find.js')).find,
  },
  {
    name: 'log',
    summary: 'show the versions of a file or folder',
    load: async () => (await import('./commands/log.js')).log,
  },
  {
    name: 'restore',
    summary: 'restore files and folders from a snapshot',
    load: async () => (await import('./commands/restore.js')).restore,
  },
  {
    name: 'diff',
    summary: 'show what differs between two snapshots, or a snapshot and the disk',
    load: async () => (await import('./commands/diff.js')).diff,
  },
  {
    name: 'dump',
    summary: 'write a file of a snapshot, or an archive of a folder, to standard output',
    load: async () => (await import('./commands/dump.js')).dump,
  },
  {
    name: 'forget',
    summary: 'forget snapshots, by name or by a policy',
    load: async () => (await import('./commands/forget.js')).forget,
  },
  {
    name: 'unforget',
    summary: 'bring a forgotten snapshot back, as long as it was not pruned',
    load: async () => (await import('./commands/unforget.js')).unforget,
  },
  {
    name: 'rewrite',
    summary: 'make snapshots anew without some files, or with another host, time or path',
    load: async () => (await import('./commands/rewrite.js')).rewrite,
  },
  {
    name: 'merge',
    summary: 'make one snapshot of several',
    load: async () => (await import('./commands/merge.js')).merge,
  },
  {
    name: 'copy',
    summary: 'copy snapshots to another repository',
    load: async () => (await import('./commands/copy.js')).copy,
  },
  {
    name: 'prune',
    summary: 'free the room of what no snapshot needs any more',
    load: async () => (await import('./commands/prune.js')).prune,
  },
  {
    name: 'check',
    summary: 'verify the repository',
    load: async () => (await import('./commands/check.js')).check,
  },
  {
    name: 'scrub',
    summary: 'verify every object of the repository by its own digest, without a password',
    load: async () => (await import('./commands/scrub.js')).scrub,
  },
  {
    name: 'mirror',
    summary: 'copy the repository as it is to another place, without a password',
    load: async () => (await import('./commands/mirror.js')).mirror,
  },
  {
    name: 'stats',
    summary: 'show what the repository holds and how much room it takes',
    load: async () => (await import('./commands/stats.js')).stats,
  },
  {
    name: 'cat',
    summary: 'show any object of the repository, decoded',
    load: async () => (await import('./commands/cat.js')).cat,
  },
  {
    name: 'key',
    summary: 'add, list, remove and change passwords',
    commands: [
      {
        name: 'add',
        summary: 'add a password',
        load: async () => (await import('./commands/key-add.js')).keyAdd,
      },
      {
        name: 'list',
        summary: 'list the keys, one for each password',
        load: async () => (await import('./commands/key-list.js')).keyList,
      },
      {
        name: 'remove',
        summary: 'remove a key, so that its password opens nothing any more',
        load: async () => (await import('./commands/key-remove.js')).keyRemove,
      },
      {
        name: 'change',
        summary: 'replace the password that is given by a new one',
        load: async () => (await import('./commands/key-change.js')).keyChange,
      },
    ],
  },
  {
    name: 'cache',
    summary: 'list and clear the caches on this machine',
    commands: [
      {
        name: 'list',
        summary: 'list the caches',
        load: async () => (await import('./commands/cache-list.js')).cacheList,
      },
      {
        name: 'clear',
        summary: 'remove the caches; they are made again when they are needed',
        load: async () => (await import('./commands/cache-clear.js')).cacheClear,
      },
    ],
  },
  {
    name: 'tag',
    summary: 'add tags to snapshots, or remove them',
    commands: [
      {
        name: 'add',
        summary: 'give snapshots a tag',
        load: async () => (await import('./commands/tag-add.js')).tagAdd,
      },
      {
        name: 'remove',
        summary: 'take a tag from snapshots',
        load: async () => (await import('./commands/tag-remove.js')).tagRemove,
      },
    ],
  },
  {
    name: 'pin',
    summary: 'have every policy keep a snapshot',
    load: async () => (await import('./commands/pin.js')).pin,
  },
  {
    name: 'unpin',
    summary: 'let policies forget a snapshot again',
    load: async () => (await import('./commands/unpin.js')).unpin,
  },
  {
    name: 'policy',
    summary: 'store a policy for forgetting, or try one out',
    commands: [
      {
        name: 'set',
        summary: 'store the policy that forgetting uses',
        load: async () => (await import('./commands/policy-set.js')).policySet,
      },
      {
        name: 'show',
        summary: 'show the stored policy, and the round-robin anchors',
        load: async () => (await import('./commands/policy-show.js')).policyShow,
      },
      {
        name: 'simulate',
        summary: 'show what a policy would keep and forget of given or imagined snapshots',
        load: async () => (await import('./commands/policy-simulate.js')).policySimulate,
      },
    ],
  },
  {
    name: 'disc',
    summary: 'put what is kept on CD, DVD and Blu-ray',
    commands: [
      {
        name: 'plan',
        summary: 'show what would go on which disc',
        load: async () => (await import('./commands/disc-plan.js')).discPlan,
      },
      {
        name: 'build',
        summary: 'make images of the discs of a set',
        load: async () => (await import('./commands/disc-build.js')).discBuild,
      },
      {
        name: 'burn',
        summary: 'burn images on discs, and compare',
        load: async () => (await import('./commands/disc-burn.js')).discBurn,
      },
      {
        name: 'verify',
        summary: 'read a disc or an image, and compare every file with its hash',
        load: async () => (await import('./commands/disc-verify.js')).discVerify,
      },
      {
        name: 'rebuild',
        summary: 'make the image of a lost or scratched disc again',
        load: async () => (await import('./commands/disc-rebuild.js')).discRebuild,
      },
      {
        name: 'list',
        summary: 'list the discs of all sets',
        load: async () => (await import('./commands/disc-list.js')).discList,
      },
      {
        name: 'show',
        summary: 'show what is on a disc, and which snapshots need it',
        load: async () => (await import('./commands/disc-show.js')).discShow,
      },
      {
        name: 'missing',
        summary: 'show which discs a restore needs, and what is on none',
        load: async () => (await import('./commands/disc-missing.js')).discMissing,
      },
      {
        name: 'retire',
        summary: 'say that a disc is lost or broken: it counts no longer',
        load: async () => (await import('./commands/disc-retire.js')).discRetire,
      },
      {
        name: 'consolidate',
        summary: 'put what is still needed of a repository on discs on new ones',
        load: async () => (await import('./commands/disc-consolidate.js')).discConsolidate,
      },
    ],
  },
  {
    name: 'sessions',
    summary: 'show who is writing to the repository, and who looks dead',
    load: async () => (await import('./commands/sessions.js')).sessions,
  },
  {
    name: 'doctor',
    summary: 'try the store, and look for what is wrong with it, the caches and this machine',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  {
    name: 'version',
    summary: 'show the version; with -v also the algorithms in use',
    load: async () => (await import('./commands/version.js')).version,
  },
];

/** What other programs call our commands. */
export const OTHER_WORDS: Readonly<Record<string, string>> = {
  backup: 'snapshot',
  create: 'snapshot',
  list: 'snapshots',
  extract: 'restore',
  verify: 'check',
  delete: 'forget',
  remove: 'forget',
};
