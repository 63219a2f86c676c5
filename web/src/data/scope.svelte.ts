import { type Place, readPlace, writePlace } from './place.ts'

/** Where the reader is, kept in the address so that a link or the back button leads to the same view of the same window. */
export class Scope {
  place = $state.raw<Place>(readPlace(location.search))

  /** Goes to a changed place as a new step of the history. */
  go(change: Partial<Place>): void {
    const place = { ...this.place, ...change }
    const search = writePlace(place)
    if (search !== writePlace(this.place)) history.pushState(null, '', location.pathname + search)
    this.place = place
  }

  /** Follows the back and forward buttons. */
  follow(): void {
    this.place = readPlace(location.search)
  }
}
