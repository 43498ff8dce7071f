export { FITS, type Fit, type FitItem, type FittedDisc, fitOnDiscs } from './fit.js';
export {
  type DiscLabel,
  encodeLabel,
  LABEL_BYTES,
  LABEL_FILE,
  type LabelDisc,
  type LabelPack,
  parseLabel,
} from './label.js';
export { freeBytes, MEDIA, type Medium, parseMedium } from './media.js';
