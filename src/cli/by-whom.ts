import { hostname, userInfo } from 'node:os';

/** The longest that records take. */
const MOST_BYTES = 1024;

/** For records: who does it, and from where. */
export function byWhom(): string {
  return Buffer.from(`${userName()}@${hostname()}`)
    .subarray(0, MOST_BYTES)
    .toString()
    .replace(/\ufffd+$/, '');
}

/** The name of the user who runs this. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without a name has a number still.
    return String(process.getuid?.() ?? '');
  }
}
