import type { RequirementResult, Verdict } from '../../../services/model/check.ts'
import { plural } from '../ui/format.ts'

/** In the order in which a reader cares. `mark` tells it without colour. */
export const VERDICTS: { id: Verdict; title: string; mark: string; note: string }[] = [
  { id: 'not_met', title: 'Not met', mark: '×', note: 'Telemetry shows the contrary.' },
  { id: 'not_enough_data', title: 'Not enough data', mark: '?', note: 'It could be shown, and too little came.' },
  { id: 'met', title: 'Met', mark: '✓', note: 'Telemetry shows it, in this window.' },
  {
    id: 'attested',
    title: 'Attested',
    mark: '§',
    note: 'No telemetry shows it; somebody answers for it, until a day.',
  },
  { id: 'not_observable', title: 'Not observable', mark: '–', note: 'No telemetry ever shows it.' },
]

export interface Section {
  document: string
  requirements: RequirementResult[]
}

/** Requirements by the document that asks for them, both in the order of the answer; without those of other verdicts. */
export function sections(requirements: readonly RequirementResult[], verdict: Verdict | undefined): Section[] {
  const shown = requirements.filter((each) => verdict === undefined || each.verdict === verdict)
  return [...Map.groupBy(shown, ({ document }) => document)].map(([document, some]) => ({
    document,
    requirements: some,
  }))
}

export function countVerdicts(requirements: readonly RequirementResult[]): Record<Verdict, number> {
  const counts = { met: 0, attested: 0, not_met: 0, not_enough_data: 0, not_observable: 0 }
  for (const { verdict } of requirements) counts[verdict] += 1
  return counts
}

/** One sentence of state, which never calls good what is only not seen. */
export function summary(requirements: readonly RequirementResult[]): string {
  const counts = countVerdicts(requirements)
  const unknown = counts.not_enough_data + counts.not_observable
  const shown = `${counts.met} of ${plural(requirements.length, 'requirement')} shown to be met`
  const contrary = counts.not_met === 0 ? 'the contrary of none is seen' : `the contrary of ${counts.not_met} is seen`
  const answered = counts.attested === 0 ? '' : `; for ${counts.attested} somebody answers`
  return `${shown}${answered}; ${contrary}; of ${unknown} nothing is shown.`
}
