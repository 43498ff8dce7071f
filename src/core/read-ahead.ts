/**
 * The results of `read` for each item, in their order, while the next `ahead` are already under way: for many small reads,
 * whose time is mostly waiting. Rejects with the first failure in that order; what is under way then is not waited for.
 */
export async function* readAhead<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  ahead: number,
  read: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  for await (const item of items) {
    const result = read(item);
    // Whoever takes it gets the failure; when nobody does, another one came first.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length > ahead) yield underWay.shift()!;
  }
  for (const result of underWay) yield result;
}
