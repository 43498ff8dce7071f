import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Images that are being written have another name: what is cut off must not look like a whole one. */

/** Where an image is written before it gets its name. */
export function partOf(image: string): string {
  return `${image}.part`;
}

/** Makes a written image durable, and visible under its name. */
export async function publishImage(image: string): Promise<void> {
  await syncPath(partOf(image));
  await rename(partOf(image), image);
  await syncPath(dirname(image));
}

/** Makes a file, or the names in a folder, durable. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
