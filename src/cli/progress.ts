import type { ProgressEvent } from '../snapshot/index.js';

/** How far a running operation is, with what can be derived from it. */
export interface Progress extends ProgressEvent {
  /** From 0 to 1; undefined while the total is not known. */
  readonly share?: number;
  readonly bytesPerSecond?: number;
  readonly secondsLeft?: number;
}

/** Averages over about this long, so that figures stay readable and still follow. */
const WINDOW_SECONDS = 10;
/** Before that an estimate is noise. */
const FIRST_ESTIMATE_SECONDS = 1;

interface Sample {
  readonly at: number;
  readonly files: number;
  readonly bytes: number;
}

/** Derives rate and time left from successive events of one phase. */
export class ProgressMeter {
  private phase: ProgressEvent['phase'] | undefined;
  private samples: Sample[] = [];

  /** `now` in seconds on a monotonic clock. */
  add(event: ProgressEvent, now: number): Progress {
    if (event.phase !== this.phase) {
      this.phase = event.phase;
      this.samples = [];
    }
    this.samples.push({ at: now, files: event.files, bytes: event.bytes });
    while (this.samples.length > 2 && now - this.samples[0]!.at > WINDOW_SECONDS) this.samples.shift();
    const share = shareOf(event);
    return {
      ...event,
      ...(share === undefined ? {} : { share }),
      ...this.estimates(event, now),
    };
  }

  private estimates(event: ProgressEvent, now: number): Pick<Progress, 'bytesPerSecond' | 'secondsLeft'> {
    const first = this.samples[0]!;
    const elapsed = now - first.at;
    if (elapsed < FIRST_ESTIMATE_SECONDS) return {};
    const bytesPerSecond = (event.bytes - first.bytes) / elapsed;
    const left = [
      secondsFor((event.totalBytes ?? Number.NaN) - event.bytes, bytesPerSecond),
      secondsFor((event.totalFiles ?? Number.NaN) - event.files, (event.files - first.files) / elapsed),
    ].filter(Number.isFinite);
    return { bytesPerSecond, ...(left.length === 0 ? {} : { secondsLeft: Math.max(...left) }) };
  }
}

function secondsFor(left: number, perSecond: number): number {
  return left <= 0 ? 0 : left / perSecond;
}

/** By bytes where they are known and not nothing, else by files. */
function shareOf({ files, totalFiles, bytes, totalBytes }: ProgressEvent): number | undefined {
  const share = totalBytes ? bytes / totalBytes : totalFiles ? files / totalFiles : undefined;
  return share === undefined ? undefined : Math.min(1, share);
}
