import type { Backend } from '../backends/index.js';
import { openStore } from '../repo/index.js';
import type { CommandContext } from './command.js';
import { openOptions } from './repository.js';

/** Opens the medium of the repository, for what needs no password, lets `use` work with it, and closes it whatever happens. */
export async function withStore<T>(
  context: CommandContext,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = await openStore(openOptions(context, 'open'));
  try {
    context.signal.throwIfAborted();
    return await use(backend);
  } finally {
    await backend.close();
  }
}
