import { setTimeout } from 'node:timers/promises';
import { CbrError, FormatError, messageOf } from '../../core/index.js';
import { type DiscLabel, LABEL_BYTES, LABEL_FILE, parseLabel } from '../label.js';
import { configsOn, type DiscConfigs } from './disc-configs.js';
import type { DiscFiles } from './disc-files.js';
import type { Candidate } from './find-discs.js';
import { openFolderFiles } from './folder-files.js';
import { isSameMark, type Mark, markOf, openImageFiles } from './image-files.js';

/** A disc of some repository of cbr that is at hand. */
export interface OpenedDisc {
  readonly label: DiscLabel;
  readonly files: DiscFiles;
  readonly configs: DiscConfigs;
  /** What is wrong with it though it can be used, as a sentence behind the name of its place. */
  readonly fault?: string;
}

/** An image that lacks something is looked at again so much later. */
const GROWING_MS = 400;

/**
 * Opens what may be a disc. Rejects with `not-a-repository` what is a disc of something else, with `newer-format`, and with FormatError,
 * DamagedError or BackendError what cannot be read.
 */
export async function openDisc({ kind, path }: Candidate): Promise<OpenedDisc> {
  const before = kind === 'image' ? await markOf(path, false) : undefined;
  const files =
    kind === 'folder' ? await openFolderFiles(path) : await openImageFiles(path, kind === 'drive');
  try {
    const label = await readLabel(files);
    const configs = await configsOn(files);
    if (files.lacking === 0 && files.earlier === undefined) return { label, files, configs };
    return { label, files, configs, fault: await faultOf(files, before) };
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function readLabel(files: DiscFiles): Promise<DiscLabel> {
  const size = files.sizes.get(LABEL_FILE);
  if (size === undefined) {
    throw new CbrError('not-a-repository', `${files.place} is no disc of cbr: it has no ${LABEL_FILE}`, {
      hint: 'Take it away from here, or ignore it.',
    });
  }
  if (size > LABEL_BYTES) throw new FormatError(`${files.place}, ${LABEL_FILE}: has ${size} bytes`);
  return parseLabel(await files.read(LABEL_FILE, 0, size), files.place);
}

/** Whether somebody is writing it shows only in that it changes. */
async function faultOf({ place, lacking, earlier }: DiscFiles, before: Mark | undefined): Promise<string> {
  const [what, it, lost] =
    earlier === undefined
      ? ['is cut short', `lacks ${lacking} bytes of its file system`, 'What lies there']
      : [
          'is damaged',
          `shows an earlier session, since the newest one cannot be read (${messageOf(earlier)})`,
          'What came later',
        ];
  if (before !== undefined) await setTimeout(GROWING_MS);
  const isGrowing = before !== undefined && !isSameMark(before, await markOf(place, false));
  return isGrowing
    ? `is still being written: it ${it}. Wait until that is done`
    : `${what}: it ${it}. ${lost} is lost, unless another copy is found`;
}
