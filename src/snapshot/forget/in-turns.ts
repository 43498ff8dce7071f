/**
 * Does something with each item, at most `atOnce` at the same time, beginning in their order. After a failure nothing more is
 * begun; rejects with the first one when all that was begun has ended.
 */
export async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const go = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      try {
        await action(items[next++]!);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, go));
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
}
