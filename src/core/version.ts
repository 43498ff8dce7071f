/** The version of this program, as in package.json. */
export const VERSION = '0.1.0';
/** What snapshots and sessions say of the program that wrote them. */
export const PROGRAM = `cbr ${VERSION}`;
