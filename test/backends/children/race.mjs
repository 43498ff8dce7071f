// Tries to create every name of a list, as soon as its input says so; prints the names it won.
import { once } from 'node:events';
import { openLocalBackend } from '../../../dist/backends/index.js';
import { ObjectExistsError } from '../../../dist/core/index.js';

const [root, count] = process.argv.slice(2);
const backend = await openLocalBackend(root);
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const won = [];
for (let i = 0; i < Number(count); i++) {
  try {
    await backend.write('leases', `prune/${i}`, Buffer.from(`${process.pid} wrote ${i}`));
    won.push(i);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
  }
}
process.stdout.write(`${JSON.stringify({ pid: process.pid, won })}\n`);
process.exit(0);
