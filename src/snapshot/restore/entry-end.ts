/** How an entry of a restore ended; `right`: what was there already is what was to be restored. */
export type EntryEnd = 'restored' | 'right' | 'existed' | 'lost';
