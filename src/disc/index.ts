export { FITS, type Fit, type FitItem, type FittedDisc, fitOnDiscs } from './fit.js';
export { freeBytes, MEDIA, type Medium, parseMedium } from './media.js';
