/** The module that each worker of a running snapshot runs. It stands beside this one, also in the bundled program. */
export const INTAKE_WORKER = new URL('./intake-worker.js', import.meta.url);
