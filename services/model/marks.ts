/*
 * Sets of which rollups keep no members: each of them sets one of 256 bits by its hash. Written hexadecimal, empty for none. Sets are
 * united by OR; two members may share a bit, so that there are as many as are set, or more.
 */

const bitsOf = (marks: string) => BigInt(`0x${marks || '0'}`)

export function joinMarks(left: string, right: string): string {
  if (left === right || right === '') return left
  return (bitsOf(left) | bitsOf(right)).toString(16)
}

/** What is in both. */
export function commonMarks(left: string, right: string): string {
  return (bitsOf(left) & bitsOf(right)).toString(16)
}

/** What is in `left` and not in `right`. */
export function marksWithout(left: string, right: string): string {
  return (bitsOf(left) & ~bitsOf(right)).toString(16)
}

/** How many bits are set: so many members at least. */
export function countMarks(marks: string): number {
  return bitsOf(marks).toString(2).replaceAll('0', '').length
}
