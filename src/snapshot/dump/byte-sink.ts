/** Takes bytes in order. `write` resolves when there is room for more; the bytes may be used otherwise from then on. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Where what is written to one sink comes out as something else: `end` writes what is still held back. */
export interface EndingSink extends ByteSink {
  end(): Promise<void>;
}
