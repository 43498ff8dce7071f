import { resolve } from 'node:path';
import type { BuildOptions, BuildReport, BuiltDisc } from '../disc/index.js';
import { byWhom } from './by-whom.js';
import type { CommandContext } from './command.js';
import { RESTORE_SOURCES } from './restore-sources.js';
import { countOf, sizeText } from './sizes.js';

/** How images of discs are made, and what is said of it; the same for `disc build` and `disc rebuild`. */
export function buildOptions({ output, signal }: CommandContext, out: string): BuildOptions {
  return {
    out: resolve(out),
    restore: RESTORE_SOURCES,
    by: byWhom(),
    now: () => Date.now(),
    signal,
    onProgress: ({ volume, position, total, bytes, totalBytes }) =>
      output.progress({
        type: 'progress',
        phase: 'image',
        files: position,
        totalFiles: total,
        bytes,
        totalBytes,
        current: volume,
      }),
    onLacking: (packs, bytes) =>
      output.problem({
        severity: 'warning',
        about: 'repository',
        code: 'on-no-disc',
        reason: `${countOf(packs, 'pack')}, ${sizeText(bytes)}, that the snapshots need ${packs === 1 ? 'is' : 'are'} on no disc of the set`,
        hint: 'A prune has made new packs since the discs were planned. Afterwards: cbr disc build --content new',
      }),
    onBuilt: (built) => output.item(builtFields(built), () => `${built.image}  ${sizeText(built.bytes)}`),
  };
}

export function builtFields({ disc, image, bytes }: BuiltDisc): Readonly<Record<string, unknown>> {
  return { number: disc.number, volume: disc.volume, disc: disc.id, image, bytes };
}

export function reportFields({ build, built }: BuildReport): Readonly<Record<string, unknown>> {
  return { set: build.set, build: build.id, discs: built.map(builtFields) };
}
