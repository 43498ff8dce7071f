import type { Gathering } from '../../backends/index.js';
import type { ImageView } from './image-view.js';

/** Has images that were moved away put back, as discs are put in. What is staged is at hand, and so is all that is no pack. */
export function gatheringOfImages(view: ImageView): Gathering {
  const latest = (): Gathering | undefined => view.latest?.gathering;
  return {
    get isNeeded() {
      return latest()?.isNeeded === true;
    },
    hasAllRecords: true,
    isAbsent: (pack) => latest()?.isAbsent(pack) === true && !view.isUnreadable(pack),
    isUnreadable: (pack) => view.isUnreadable(pack),
    presentParts: (pack) => latest()?.presentParts(pack) ?? [],
    // The index is staged, besides being on images.
    completeIndex: async () => false,
    inTurns: (packs) => latest()?.inTurns(packs) ?? [packs],
    gather: async (packs, options) => {
      const { images } = await view.current();
      await images?.gathering.gather(packs, options);
    },
  };
}
