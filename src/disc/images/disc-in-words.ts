/** Which disc is meant. */
export interface NamedDisc {
  readonly set: string;
  readonly number: number;
  readonly volume: string;
}

/** `disc 3 of the set photos (CBR_PHOTOS_0003)` */
export function discInWords({ set, number, volume }: NamedDisc): string {
  return `disc ${number} of the set ${set} (${volume})`;
}
