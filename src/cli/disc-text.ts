import { discName } from '../disc/index.js';
import type { CatalogBuild, CatalogDisc, CatalogPack, DiscCatalog } from '../repo/index.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { Output } from './output.js';
import { displayText } from './raw-names.js';
import { countOf, sizeText } from './sizes.js';
import { isoTime } from './times.js';

/** What is said of discs, for people and for programs. */

export const moment = (seconds: number) => ({ seconds, nanoseconds: 0 });

export const bytesOf = (packs: readonly Pick<CatalogPack, 'size'>[]): number =>
  packs.reduce((sum, { size }) => sum + size, 0);

/** `home/3`, for people. */
export function discText(build: Pick<CatalogBuild, 'set'>, disc: Pick<CatalogDisc, 'number'>): string {
  return displayText(discName(build, disc));
}

/** `12 packs, 380 MiB`. */
export function packsText(packs: readonly Pick<CatalogPack, 'size'>[]): string {
  return `${countOf(packs.length, 'pack')}, ${sizeText(bytesOf(packs))}`;
}

/** Which disc it is, for programs. */
export function discFields(build: CatalogBuild, disc: CatalogDisc): Readonly<Record<string, unknown>> {
  const { id, number, volume, state } = disc;
  return { disc: id, set: build.set, number, volume, state };
}

/** All that is stored of a disc, for programs. */
export function discDetails(build: CatalogBuild, disc: CatalogDisc): Readonly<Record<string, unknown>> {
  return {
    ...discFields(build, disc),
    packs: disc.packs.length,
    bytes: bytesOf(disc.packs),
    changed: isoTime(moment(disc.changed)),
    build: build.id,
    content: build.content,
    medium: build.medium,
    planned: isoTime(moment(build.time)),
    by: build.by,
  };
}

/** Lists packs one by one. */
export function showPacks(
  output: Output,
  packs: readonly CatalogPack[],
  more: Readonly<Record<string, unknown>> = {},
): void {
  for (const { name, size } of packs) {
    output.item({ pack: name, bytes: size, ...more }, () => `pack ${name}  ${sizeText(size)}`);
  }
}

/** Tells the records of the catalog that cannot be opened, each as a problem; returns the exit code that they leave. */
export function tellUnreadable(output: Output, { unreadable, strays }: DiscCatalog): ExitCode {
  for (const name of unreadable) {
    output.problem({
      severity: 'error',
      about: 'repository',
      code: 'damaged',
      reason: 'cannot be opened, or plans again what was planned before: what it says of discs is not known',
      hint: 'The other records count. Run: cbr check',
      object: `catalog/${name}`,
    });
  }
  for (const name of strays) {
    output.problem({
      severity: 'warning',
      about: 'repository',
      code: 'stray',
      reason: 'is about a disc that was never planned, or whose plan cannot be opened: it is left aside',
      object: `catalog/${name}`,
    });
  }
  return unreadable.length > 0 ? EXIT.damage : EXIT.done;
}
