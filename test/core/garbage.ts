import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What memory is in use when all that nobody needs was given back. */
export async function memoryInUse(): Promise<NodeJS.MemoryUsage> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // The memory of buffers is given back some turns after they were collected.
  for (let round = 0; round < 5; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage();
}
