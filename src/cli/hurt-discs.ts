import type { Backend } from '../backends/index.js';
import type { Listener } from '../snapshot/index.js';
import type { Output } from './output.js';
import { displayText } from './raw-names.js';
import { countOf } from './sizes.js';

const PACK = /\bpacks\/(?:[0-9a-f]{2}\/)?([0-9a-f]{64})\b/g;

/** Finds out on which discs the packs lie of which damage was told: files are lost by path, and on a shelf there are discs. */
export class HurtDiscs {
  private readonly packs = new Set<string>();

  constructor(private readonly backend: Pick<Backend, 'gathering'>) {}

  /** Takes a text that may name packs. */
  see(text: string): void {
    if (this.backend.gathering === undefined) return;
    for (const [, pack] of text.matchAll(PACK)) this.packs.add(pack!);
  }

  /** A listener that sees what errors name, and hands all on. */
  seenBy(listener: Listener): Listener {
    return (event) => {
      if (event.type === 'problem' && event.severity === 'error') this.see(event.reason);
      listener(event);
    };
  }

  /** Names each disc that is at hand and has some of them, once. */
  tell(output: Output): void {
    const byDisc = new Map<string, number>();
    for (const pack of this.packs)
      for (const disc of this.backend.gathering?.presentParts(pack) ?? [])
        byDisc.set(disc, (byDisc.get(disc) ?? 0) + 1);
    for (const [disc, packs] of byDisc) {
      output.problem({
        severity: 'warning',
        about: 'repository',
        code: 'damaged-disc',
        reason: `what is damaged lies on ${displayText(disc)}: ${countOf(packs, 'pack')}`,
        hint: this.backend.gathering?.hasAllRecords
          ? 'See what else is: cbr disc verify. Put a whole copy of it in its place, if there is one.'
          : 'See what else is: cbr disc verify. While the repository is there the disc can be made again: cbr disc rebuild',
      });
    }
  }
}
