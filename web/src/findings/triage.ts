import {
  FINDING_STATES,
  type Finding,
  type FindingAct,
  type FindingState,
  SEVERITIES,
  type Severity,
} from '../../../services/model/finding.ts'

/** What a filter narrows the list to. */
export const STATES: { id: FindingState; title: string; note: string }[] = FINDING_STATES.map((id) => ({
  id,
  ...{
    open: { title: 'Open', note: 'To be looked at' },
    acknowledged: { title: 'Acknowledged', note: 'Somebody looks at it' },
    accepted: { title: 'Accepted', note: 'Its owner bears it until a day' },
    false: { title: 'Not a problem', note: 'The check was wrong, and is tuned by it' },
    resolved: { title: 'Resolved', note: 'It was looked for, and is gone' },
  }[id],
}))

export const titleOf = (state: FindingState) => STATES.find(({ id }) => id === state)?.title ?? state

export interface Act {
  act: FindingAct['act']
  title: string
  /** What it leads to, for whoever is about to do it. */
  note: string
  /** The key that begins it. */
  key: string
}

const ACTS: Record<FindingAct['act'], Act> = {
  acknowledge: { act: 'acknowledge', title: 'Acknowledge', note: 'Somebody looks at it.', key: 'a' },
  accept: {
    ...{ act: 'accept', title: 'Accept until…', key: 'u' },
    note: 'Its owner bears it until a day; then it is open again.',
  },
  false: {
    ...{ act: 'false', title: 'Not a problem', key: 'x' },
    note: 'So much of it at this subject counts no more in its check, until it is opened again.',
  },
  reopen: { act: 'reopen', title: 'Open again', note: 'Takes back what was said.', key: 'o' },
}

/** What can be said of a finding in its state. */
export function actsOf({ state }: Pick<Finding, 'state'>): Act[] {
  if (state === 'resolved') return []
  if (state === 'open') return [ACTS.acknowledge, ACTS.accept, ACTS.false]
  return [...(state === 'acknowledged' ? [ACTS.accept, ACTS.false] : []), ACTS.reopen]
}

export interface Section {
  severity: Severity
  findings: Finding[]
  /** Those of one check at one place, in the order of their first. */
  groups: Finding[][]
}

/** The worst first; within a severity in the order of the answer, those of one check and place together. */
export function sections(findings: readonly Finding[]): Section[] {
  return SEVERITIES.toReversed()
    .map((severity) => {
      const own = findings.filter((finding) => finding.severity === severity)
      const groups = [...Map.groupBy(own, ({ check, place }) => JSON.stringify([check, place])).values()]
      return { severity, groups, findings: groups.flat() }
    })
    .filter(({ groups }) => groups.length > 0)
}

/** The finding that stands `step` rows from another, in the order of the list; the first where that is none of them. */
export function neighbour(findings: readonly Finding[], id: string | undefined, step: number): Finding | undefined {
  const ordered = sections(findings).flatMap((section) => section.findings)
  const at = ordered.findIndex((finding) => finding.id === id)
  return at === -1 ? ordered[0] : ordered[Math.min(ordered.length - 1, Math.max(0, at + step))]
}
