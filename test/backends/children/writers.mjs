// Writes packs for ever, four at a time, half of them from staged files; prints the name of each that is stored.
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { newStagingPath, openLocalBackend } from '../../../dist/backends/index.js';

const backend = await openLocalBackend(process.argv[2]);

async function writeForEver(staging) {
  for (;;) {
    const bytes = randomBytes(2_000_000 + Math.floor(Math.random() * 2_000_000));
    const name = createHash('sha256').update(bytes).digest('hex');
    if (staging) {
      const path = newStagingPath(backend.stagingFolder);
      await writeFile(path, bytes);
      await backend.write('packs', name, { path, size: bytes.length });
    } else {
      await backend.write('packs', name, bytes);
    }
    process.stdout.write(`${name}\n`);
  }
}

await Promise.all([writeForEver(false), writeForEver(true), writeForEver(false), writeForEver(true)]);
