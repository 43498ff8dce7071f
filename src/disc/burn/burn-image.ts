import { CbrError, MIB } from '../../core/index.js';
import type { DiscLabel } from '../label.js';
import { runXorriso } from '../xorriso/run-xorriso.js';
import { checkImage } from './check-image.js';
import { claimDrive } from './claim-drive.js';
import { type Drive, findDrive } from './drive.js';
import { type DiscThere, lookAtDisc } from './look-at-disc.js';
import { compareDisc } from './read-back.js';

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
  /** The device may be a disk that is built in. */
  readonly allowsFixed: boolean;
  readonly signal: AbortSignal;
  /** Takes the bytes that are done, and all: of reading the image, of writing, then of reading back. */
  readonly onProgress?: (bytes: number, totalBytes: number, isReading: boolean) => void;
}

/**
 * Verifies an image, burns it on the disc in a drive, and compares what is on it then with the image, byte for byte. Returns the label of the other disc
 * that was written over, if there was one. Rejects with `target` when
 * the disc in the drive is not blank and may not be overwritten, or too small; nothing was written then; with `target` too when it
 * reads differently afterwards: that disc is of no use. As `findDrive`, `checkImage` and `runXorriso` otherwise.
 */
export async function burnImage(request: BurnRequest): Promise<DiscLabel | undefined> {
  const drive = await findDrive(request.device);
  refuseFixed(drive, request);
  const release = await claimDrive(drive);
  try {
    return await burnIn(drive, request);
  } finally {
    await release();
  }
}

async function burnIn(drive: Drive, request: BurnRequest): Promise<DiscLabel | undefined> {
  const { image, speed, signal, onProgress } = request;
  // At once, and not only when the image has been read.
  refuseOthers(drive, await lookAtDisc(drive, signal), request);
  const bytes = await checkImage(image, signal, (done, all) => onProgress?.(done, all, true));
  // That took minutes: another disc may be in the drive by now.
  const there = await lookAtDisc(drive, signal);
  refuseOthers(drive, there, request);
  if (there.capacity > 0 && bytes > there.capacity) {
    throw new CbrError(
      'target',
      `the disc in ${drive.device} holds ${there.capacity} bytes, and ${image} has ${bytes}: nothing was written`,
      { hint: 'Put in a larger one.' },
    );
  }
  await runXorriso(
    [
      ...['-as', 'cdrecord', '-v', `dev=${drive.address}`],
      // The image has its own padding; with more it may be larger than the disc.
      'padsize=0',
      ...(speed === undefined ? [] : [`speed=${speed}`]),
      ...(there.kind === 'ours' ? ['blank=as_needed'] : []),
      image,
    ],
    {
      what: `cannot burn ${image} on ${drive.device}`,
      signal,
      onLine: (line) => {
        const [, done, all] = /([0-9]+) of +([0-9]+) MB written/.exec(line) ?? [];
        if (done !== undefined && all !== undefined)
          onProgress?.(Number(done) * MIB, Number(all) * MIB, false);
      },
    },
  );
  await compareDisc(drive, {
    image,
    bytes,
    signal,
    onProgress: (done, all) => onProgress?.(done, all, true),
  });
  return there.kind === 'ours' && there.label.disc !== request.disc ? there.label : undefined;
}

/** Opens the tray, where there is one. Rejects as `findDrive` and `runXorriso`. */
export async function ejectDisc(device: string, signal: AbortSignal): Promise<void> {
  const drive = await findDrive(device);
  if (!drive.isBurner) return;
  await runXorriso(['-outdev', drive.address, '-eject', 'all'], { what: `cannot eject ${device}`, signal });
}

function refuseFixed({ device, isFixed }: Drive, { allowsFixed }: BurnRequest): void {
  if (!isFixed || allowsFixed) return;
  throw new CbrError('target', `${device} is a disk that is built in, no disc: nothing was written`, {
    hint: 'Name the drive, such as /dev/sr0. If that disk is really to be written over: --fixed-disk',
  });
}

function refuseOthers(
  { device, address, isBurner }: Drive,
  there: DiscThere,
  { disc, overwrites }: BurnRequest,
): asserts there is Exclude<DiscThere, { kind: 'foreign' }> {
  if (there.kind === 'blank') return;
  if (there.kind === 'foreign') {
    const erase = isBurner
      ? `xorriso -outdev ${address} -blank as_needed`
      : `dd if=/dev/zero of=${device} bs=1M`;
    throw new CbrError(
      'target',
      `the disc in ${device} is not blank, it holds ${there.what}: nothing was written`,
      { hint: `Put in a blank one. If that one is really to be erased: ${erase}` },
    );
  }
  const { volume, number, set } = there.label;
  const its = `${volume}, disc ${number} of the set ${set}`;
  if (!there.isRewritable) {
    throw new CbrError(
      'target',
      `the disc in ${device} is ${its}, and cannot be written again: nothing was written`,
      { hint: 'Put in a blank one.' },
    );
  }
  if (there.label.disc === disc || overwrites) return;
  throw new CbrError('target', `the disc in ${device} is ${its}: nothing was written`, {
    hint: 'Put in a blank one, or say --overwrite if that one is no longer needed.',
  });
}
