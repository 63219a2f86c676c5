import { createHash } from 'node:crypto'
import type { Finding, FindingWord, Observation, Report } from '../../model/finding.ts'

/** Findings of one check that are kept as not resolved. Whoever sends telemetry can make subjects; what is beyond is one finding. */
export const ACTIVE_MAX = 1_000
/** Subject of that one. */
export const MORE = '(more)'

export const findingId = ({ check, subject }: Pick<Observation, 'check' | 'subject'>) =>
  createHash('sha256')
    .update(JSON.stringify([check, subject]))
    .digest('hex')
    .slice(0, 32)

/** A word that nobody said: what was seen, or was not any more, says so. */
const seen = (state: FindingWord['state'], why: string, at: string): FindingWord => ({
  ...{ state, who: '', why, at },
  ...{ owner: '', until: '', tolerated: 0 },
})

/** A finding as it stands at a time: an acceptance that is over is none. */
export function asOf(finding: Finding, at: string): Finding {
  if (finding.state !== 'accepted' || finding.until > at) return finding
  return { ...finding, ...seen('open', `it was accepted until ${finding.until}`, finding.until) }
}

export interface Kept {
  /** What is to be stored of findings: new ones, and what is new of others. */
  records: Finding[]
  /** Those of them whose state changed. */
  words: Finding[]
}

/** What a report changes of the findings that are known of its check. */
export function keep(known: readonly Finding[], report: Report, at: string): Kept {
  const byId = new Map(known.map((finding) => [finding.id, finding]))
  const records: Finding[] = []
  const words: Finding[] = []
  const put = (finding: Finding, isNewWord: boolean) => {
    records.push(finding)
    if (isNewWord) words.push(finding)
  }
  const observations = bounded(report, byId)
  for (const observation of observations) {
    const id = findingId(observation)
    const before = byId.get(id)
    byId.delete(id)
    if (!before) {
      put({ ...observation, id, ...seen('open', 'seen for the first time', at) }, true)
      continue
    }
    const found = { ...before, ...observation, ...span(before, observation) }
    const why = reopens(before, observation, at)
    put(why === undefined ? found : { ...found, ...seen('open', why, at) }, why !== undefined)
  }
  const { since, until } = report.window
  for (const finding of byId.values()) {
    // What people decided stands: an acceptance to its end, a mark as false until it is taken back.
    const { state } = asOf(finding, at)
    if ((state !== 'open' && state !== 'acknowledged') || !report.couldSee(finding)) continue
    const why = `not seen from ${since} to ${until}, where it would have been`
    put({ ...finding, ...seen('resolved', why, at) }, true)
  }
  return { records, words }
}

/** First and last over all that was seen. */
const span = (before: Finding, { first_seen, last_seen }: Observation) => ({
  first_seen: before.first_seen < first_seen ? before.first_seen : first_seen,
  last_seen: before.last_seen > last_seen ? before.last_seen : last_seen,
})

/** Why a finding is open again; undefined where it stays what it is. */
function reopens(before: Finding, { share }: Observation, at: string): string | undefined {
  const { state, why } = asOf(before, at)
  if (before.state === 'accepted' && state === 'open') return why
  if (before.state === 'resolved') return 'it came back'
  if (before.state === 'false' && share > before.tolerated)
    return `${percent(share)} of what is counted there shows it; marked false was ${percent(before.tolerated)}`
  return undefined
}

const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`

/** Known ones first, then as many new ones as there is room for; the others as one. */
function bounded({ check, observations }: Report, known: ReadonlyMap<string, Finding>): Observation[] {
  const active = [...known.values()].filter(({ state }) => state !== 'resolved').length
  let room = Math.max(0, ACTIVE_MAX - active)
  const more: Observation[] = []
  const kept = observations.filter((observation) => {
    const before = known.get(findingId(observation))
    if ((before && before.state !== 'resolved') || room-- > 0) return true
    more.push(observation)
    return false
  })
  const [first] = more
  if (!first) return kept
  const rest = {
    subject: MORE,
    place: MORE,
    title: `${more.length.toLocaleString('en')} more, which are not kept one by one`,
  }
  return [...kept, { ...first, ...rest, check, share: 1 }]
}
