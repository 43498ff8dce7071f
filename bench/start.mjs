/** How long the program takes to start, against Node alone. */
import { CBR } from './cbr-json.mjs';
import { measure, median } from './measure.mjs';

const RUNS = 21;

/** @returns {Promise<{extraMilliseconds: number, runs: number}>} */
export async function measureStart() {
  const own = [];
  const bare = [];
  for (let run = 0; run < RUNS; run++) {
    own.push(await secondsOf([CBR, '--version']));
    bare.push(await secondsOf(['-e', '0']));
  }
  return { extraMilliseconds: (median(own) - median(bare)) * 1000, runs: RUNS };
}

/** @param {readonly string[]} args */
async function secondsOf(args) {
  return (await measure({ file: process.execPath, args, env: process.env })).seconds;
}
