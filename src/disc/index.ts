export { type BurnRequest, burnImage, ejectDisc } from './burn/burn-image.js';
export { type DiscMediumOptions, discMedium } from './disc-medium.js';
export { FITS, type Fit, type FitItem, type FittedDisc, fitOnDiscs } from './fit.js';
export type { AskForDisc } from './images/disc-backend.js';
export type { NamedDisc } from './images/disc-in-words.js';
export type { DiscProblem, ReportDisc } from './images/disc-place.js';
export type { IsoExtent, IsoFile, IsoNaming, IsoSession, IsoVolume } from './iso/iso-volume.js';
export { type ReadIsoOptions, readIso, readIsoFile, shortBy } from './iso/read-iso.js';
export { openSectors, type SectorSource } from './iso/sectors.js';
export {
  type DiscLabel,
  encodeLabel,
  LABEL_BYTES,
  LABEL_FILE,
  type LabelDisc,
  type LabelPack,
  parseLabel,
} from './label.js';
export { labelOnDisc } from './label-on-disc.js';
export {
  freeBytes,
  MEDIA,
  type Medium,
  nextSessionSector,
  parseMedium,
  sectorOfBlock,
} from './media.js';
export {
  daysOfWeekSoFar,
  type RoomOnDisc,
  startsNewDisc,
  WEEKDAYS,
  type Weekday,
} from './new-disc.js';
export {
  type BuildOptions,
  type BuildReport,
  type BuiltDisc,
  buildDiscs,
  givenUp,
  giveUpBuild,
  makeImageFolder,
  rebuildDisc,
  storePlan,
  unfinishedBuild,
} from './set/build-set.js';
export { type CatalogOnDiscs, catalogOnDiscs, labelledDiscs } from './set/catalog-on-discs.js';
export { buildsOfSet, choosePacks, countsAsStored, packsOnDiscs } from './set/choose-packs.js';
export type { RestoreSources } from './set/disc-layout.js';
export {
  discsForRestore,
  discWithTrees,
  type RestoreDisc,
  type RestoreNeeds,
} from './set/discs-for-restore.js';
export { helpedSnapshots } from './set/helped-snapshots.js';
export { type NeededPack, type NeededPacks, neededPacks } from './set/needed-packs.js';
export { freeSectors, planSet, type SetPlan, type SetRequest } from './set/plan-set.js';
export { type ChosenDisc, discName, selectDisc } from './set/select-disc.js';
export { checkSetName } from './set/set-name.js';
export { type Consolidated, consolidate } from './staged/consolidate.js';
export { type StagedSettings, settingsFrom } from './staged/staged-settings.js';
export { type DamagedFile, type DiscVerdict, verifyDisc } from './verify-disc.js';
