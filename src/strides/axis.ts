/** One dimension of a box: how many steps, and how far one step goes in the storage and in the result, in bytes. */
export interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}
