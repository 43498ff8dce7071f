const MINUTE = 60_000;

/** For the schedules of one file: some 30 ms each on an idle machine, several times that on a busy one. */
export const PART_MS = (process.env.CBR_SOAK === '1' ? 48 * 60 : 30) * MINUTE;
/** For finding one planted fault. */
export const FAULT_MS = (process.env.CBR_SOAK === '1' ? 120 : 10) * MINUTE;
