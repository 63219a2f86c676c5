import type { SubjectTally } from '../../model/check.ts'
import type { Observation, Report } from '../../model/finding.ts'
import type { Counting } from '../checks/assess.ts'
import { textOf } from '../checks/check.ts'
import { shareOf } from '../checks/tune.ts'
import { SEEN_MIN, UNTOLD_SHARE_MAX } from '../checks/verdict.ts'

/** What a check counted, as findings: one for each subject that shows the contrary. @param at now: a window's last hour may not be over */
export function reportOf({ check, tally }: Counting, window: Report['window'], at: string): Report {
  const places = new Map<string, Pick<SubjectTally, 'met' | 'unmet' | 'untold' | 'aside'>>()
  const subjects = new Map(tally.subjects.map((one) => [one.subject, one]))
  for (const one of tally.subjects) {
    const place = places.get(one.place) ?? { met: 0, unmet: 0, untold: 0, aside: 0 }
    for (const key of ['met', 'unmet', 'untold', 'aside'] as const) place[key] += one[key]
    places.set(one.place, place)
  }
  const observe = (one: SubjectTally): Observation => ({
    check: check.id,
    subject: one.subject,
    place: one.place,
    severity: check.severity,
    title: `${one.unmet.toLocaleString('en')} of ${(one.met + one.unmet + one.untold).toLocaleString('en')} ${check.unit} ${check.fault}`,
    first_seen: one.first_seen || window.since,
    last_seen: one.last_seen || lastOf(window, at),
    share: shareOf(one),
    evidence: {
      queries: [...check.reads],
      parameters: window,
      counts: { met: one.met, unmet: one.unmet, untold: one.untold },
      samples: [textOf(one)],
      left_out: 0,
    },
    blind: check.blind,
    fix: check.fix,
  })
  return {
    check: check.id,
    window,
    observations: tally.subjects
      .filter(({ unmet }) => unmet > 0)
      .sort((a, b) => b.unmet - a.unmet || (a.subject < b.subject ? -1 : 1))
      .map(observe),
    couldSee: ({ subject, place }) => {
      const own = subjects.get(subject)
      if (own && own.untold > UNTOLD_SHARE_MAX * (own.met + own.untold)) return false
      // It is gone where as much was told of its place as a yes takes: whoever silences a proxy resolves nothing.
      const { met = 0, unmet = 0, untold = 0, aside = 0 } = places.get(place) ?? {}
      const all = met + unmet + untold + aside
      return all - untold >= (check.seenMin ?? SEEN_MIN) && untold <= UNTOLD_SHARE_MAX * all
    },
  }
}

const lastOf = ({ until }: Report['window'], at: string) => (until < at ? until : at)
