import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** `size` bytes that nothing compresses, the same for the same seed. */
export function noise(size: number, seed: number): Buffer {
  const parts: Buffer[] = [];
  for (let length = 0, i = 0; length < size; length += 64, i++) {
    parts.push(createHash('sha512').update(`${seed} ${i}`).digest());
  }
  return Buffer.concat(parts).subarray(0, size);
}

/** SHA-256 of every file below a folder, by path. */
export function filesIn(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const place = join(folder, path);
    if (statSync(place).isFile())
      found[path] = createHash('sha256').update(readFileSync(place)).digest('hex');
  }
  return found;
}
