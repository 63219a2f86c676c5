export const VIEWS = ['graph', 'policies', 'findings', 'requirements'] as const
export type View = (typeof VIEWS)[number]

export interface Pair {
  source: string
  destination: string
}

export interface Place {
  since: string
  until: string
  view: View
  expand: string[]
  edge: Pair | undefined
  /** Id of the requirement that is read; empty for the first that is worth it. */
  requirement: string
  /** Id of the finding that is read; empty for the worst. */
  finding: string
}

/** Reads a place from the address. A time that is none is ignored: an old bookmark opens the whole history instead of an error. */
export function readPlace(search: string): Place {
  const parameters = new URLSearchParams(search)
  const text = (key: string) => parameters.get(key) ?? ''
  const time = (key: string) => (Number.isNaN(Date.parse(text(key))) ? '' : new Date(text(key)).toISOString())
  const view = VIEWS.find((each) => each === text('view')) ?? 'graph'
  const edge = text('from') !== '' && text('to') !== '' ? { source: text('from'), destination: text('to') } : undefined
  return {
    since: time('since'),
    until: time('until'),
    view,
    expand: text('expand').split(',').filter(Boolean),
    edge,
    requirement: text('requirement'),
    finding: text('finding'),
  }
}

/** The query of an address that `readPlace` reads back to the same place. */
export function writePlace(place: Place): string {
  const parameters = new URLSearchParams()
  const set = (key: string, value: string) => value !== '' && parameters.set(key, value)
  set('since', place.since)
  set('until', place.until)
  set('view', place.view === 'graph' ? '' : place.view)
  set('expand', place.expand.join(','))
  set('from', place.edge?.source ?? '')
  set('to', place.edge?.destination ?? '')
  set('requirement', place.requirement)
  set('finding', place.finding)
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}
