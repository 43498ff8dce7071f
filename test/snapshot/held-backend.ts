import { forwardTo } from '../../dist/backends/forward.js';
import { type Backend, withFaults } from '../../dist/backends/index.js';

/** Has `meanwhile` done before each call that looks at the repository; it is told the number of the call, 1 for the first. */
export function holding(inner: Backend, meanwhile: (call: number) => Promise<void>): Backend {
  let calls = 0;
  return {
    ...forwardTo(inner),
    async *list(...call) {
      await meanwhile(++calls);
      yield* inner.list(...call);
    },
    stat: async (...call) => {
      await meanwhile(++calls);
      return inner.stat(...call);
    },
    read: async (...call) => {
      await meanwhile(++calls);
      return inner.read(...call);
    },
  };
}

/** As `holding`, but the answers are held back: what they say is old by then. */
export function holdingAnswers(inner: Backend, meanwhile: (call: number) => Promise<void>): Backend {
  let calls = 0;
  return {
    ...forwardTo(inner),
    async *list(...call) {
      const number = ++calls;
      const found = [];
      for await (const object of inner.list(...call)) found.push(object);
      await meanwhile(number);
      yield* found;
    },
    stat: async (...call) => {
      const number = ++calls;
      const found = await inner.stat(...call);
      await meanwhile(number);
      return found;
    },
    read: async (...call) => {
      const number = ++calls;
      const found = await inner.read(...call);
      await meanwhile(number);
      return found;
    },
  };
}

/** How many calls that look at the repository something takes. */
export async function countLooks(action: (wrap: (inner: Backend) => Backend) => Promise<unknown>) {
  let looks = 0;
  await action((inner) =>
    withFaults(inner, ({ operation }) => {
      if (['list', 'stat', 'read'].includes(operation)) looks++;
      return undefined;
    }),
  );
  return looks;
}
