/** Real changes to a real folder, as a day's work makes them. */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * Changes the folder and returns what was done, one sentence each.
 * @param {string} folder @param {ReturnType<import('./manifest.mjs').manifestOf>} manifest of the folder
 */
export function makeChanges(folder, manifest) {
  const bySize = [...manifest]
    .filter(([, { sha256, sameFileAs }]) => sha256 !== undefined && sameFileAs === undefined)
    .sort(([a, { size: sizeA }], [b, { size: sizeB }]) => Number(sizeB) - Number(sizeA) || (a < b ? -1 : 1))
    .map(([path]) => path);
  const [largest, second, third, fourth, fifth] = bySize;
  if (fifth === undefined) throw new Error(`${folder} holds fewer than five files`);
  const at = (/** @type {string} */ path) => join(folder, path);
  const done = [];

  appendFileSync(at(fifth), 'one more line\n');
  done.push(`edited    ${fifth} (a line added)`);

  const content = readFileSync(at(largest));
  const middle = content.length >>> 1;
  writeFileSync(
    at(largest),
    Buffer.concat([content.subarray(0, middle), randomBytes(1000), content.subarray(middle)]),
  );
  done.push(`inserted  1000 bytes in the middle of ${largest} (${content.length} bytes)`);

  renameSync(at(second), `${at(second)}.renamed`);
  done.push(`renamed   ${second}`);

  const mode = Number.parseInt(manifest.get(third)?.mode ?? '644', 8) ^ 0o111;
  chmodSync(at(third), mode);
  done.push(`chmod     ${third} to ${mode.toString(8)}`);

  unlinkSync(at(fourth));
  done.push(`deleted   ${fourth}`);

  mkdirSync(at('an empty folder'));
  symlinkSync('nowhere', at('a dangling link'));
  linkSync(`${at(second)}.renamed`, at('a hard link'));
  done.push('created   an empty folder, a dangling link and a hard link');
  return done;
}
