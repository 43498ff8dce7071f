import { stat } from 'node:fs/promises';
import { CbrError, MIB } from '../../core/index.js';
import { openSectors } from '../iso/sectors.js';
import { runXorriso } from '../xorriso/run-xorriso.js';
import { driveName } from './drive.js';
import { type DiscThere, lookAtDisc } from './look-at-disc.js';

/** Burns an image. */

export interface BurnRequest {
  readonly image: string;
  /** Id of the disc that it is of. */
  readonly disc: string;
  readonly device: string;
  /** As the drive counts; its fastest without it. */
  readonly speed?: number;
  /** Another disc of cbr in the drive may be overwritten. */
  readonly overwrites: boolean;
  readonly ejects: boolean;
  readonly signal: AbortSignal;
  /** Takes the bytes that are done, and all: of writing first, then of reading back. */
  readonly onProgress?: (bytes: number, totalBytes: number, isReading: boolean) => void;
}

const PIECE_BYTES = 4 * MIB;

/**
 * Burns an image on the disc in a drive, and compares what is on it then with the image, byte for byte. Rejects with `target` when the disc in
 * the drive is not blank and may not be overwritten, or too small; nothing was written then; with `target` too when it
 * reads differently afterwards: that disc is of no use. As `runXorriso` otherwise.
 */
export async function burnImage(request: BurnRequest): Promise<void> {
  const { image, device, speed, ejects, signal, onProgress } = request;
  const { size } = await stat(image);
  const there = await lookAtDisc(device, signal);
  refuseOthers(there, request);
  if (there.kind !== 'foreign' && there.capacity > 0 && size > there.capacity) {
    throw new CbrError(
      'target',
      `the disc in ${device} holds ${there.capacity} bytes, and ${image} has ${size}`,
      {
        hint: 'Put in a larger one.',
      },
    );
  }
  await runXorriso(
    [
      ...['-as', 'cdrecord', '-v', `dev=${driveName(device)}`],
      ...(speed === undefined ? [] : [`speed=${speed}`]),
      ...(there.kind === 'ours' ? ['blank=as_needed'] : []),
      image,
    ],
    {
      what: `cannot burn ${image} on ${device}`,
      signal,
      onLine: (line) => {
        const [, done, all] = /([0-9]+) of +([0-9]+) MB written/.exec(line) ?? [];
        if (done !== undefined && all !== undefined)
          onProgress?.(Number(done) * MIB, Number(all) * MIB, false);
      },
    },
  );
  await compare(request, size);
  if (ejects && !driveName(device).startsWith('stdio:')) {
    await runXorriso(['-outdev', device, '-eject', 'all'], { what: `cannot eject ${device}`, signal });
  }
}

function refuseOthers(there: DiscThere, { device, disc, overwrites }: BurnRequest): void {
  if (there.kind === 'blank') return;
  if (there.kind === 'foreign') {
    throw new CbrError(
      'target',
      `the disc in ${device} is not blank, it holds ${there.what}: nothing was written`,
      {
        hint: `Put in a blank one. If that one is really to be erased: xorriso -outdev ${driveName(device)} -blank as_needed`,
      },
    );
  }
  const { volume, number, set } = there.label;
  const its = `${volume}, disc ${number} of the set ${set}`;
  if (!there.isRewritable) {
    throw new CbrError(
      'target',
      `the disc in ${device} is ${its}, and cannot be written again: nothing was written`,
      {
        hint: 'Put in a blank one.',
      },
    );
  }
  if (there.label.disc === disc || overwrites) return;
  throw new CbrError('target', `the disc in ${device} is ${its}: nothing was written`, {
    hint: 'Put in a blank one, or say --overwrite if that one is no longer needed.',
  });
}

async function compare({ image, device, signal, onProgress }: BurnRequest, size: number): Promise<void> {
  const [written, burned] = [await openSectors(image), await openSectors(device)];
  try {
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      signal.throwIfAborted();
      const length = Math.min(PIECE_BYTES, size - offset);
      const [a, b] = await Promise.all([written.read(offset, length), burned.read(offset, length)]);
      if (a.byteLength !== length || Buffer.compare(a, b) !== 0) {
        throw new CbrError('target', `the disc in ${device} does not read as ${image} near byte ${offset}`, {
          hint: 'The disc or the drive is bad: burn it again on another disc.',
        });
      }
      onProgress?.(offset + length, size, true);
    }
  } finally {
    await written.close();
    await burned.close();
  }
}
