import { requirementsOf } from '../analyzer/checks/assess.ts'
import { endOf } from '../analyzer/findings/act.ts'
import type { Attestation } from '../model/attestation.ts'
import { CinchError } from '../model/errors.ts'
import { readAttestations, sayAttestation } from '../store/queries/attestations.ts'
import type { Store } from '../store/store.ts'
import { byOf, saidText } from './by.ts'
import type { By } from './lifecycle/log.ts'

/** Somebody answers for a requirement for so long at most; then it is looked at again. */
export const ATTESTED_DAYS_MAX = 366

export interface Attestations {
  /** Those that were given and not withdrawn, also where their end is past. */
  list(): Promise<Attestation[]>
  /**
   * Answers for what no telemetry shows of a requirement.
   * @throws CinchError `not_found`, `bad_option`, `step_refused` where all of it is measured
   */
  attest(requirement: string, asked: { owner: string; until: string }, by: By): Promise<Attestation>
  /** @throws CinchError `not_found` */
  withdraw(requirement: string, by: By): Promise<void>
}

/** @param now for tests */
export function createAttestations(store: Store, now: () => number = Date.now): Attestations {
  const at = () => new Date(now()).toISOString()
  return {
    list: async () => await readAttestations(store.reads),
    attest: async (asked, { owner, until }, by) => {
      const [requirement] = requirementsOf(knownId(asked))
      const { id = '', lacks, not_observable } = requirement ?? {}
      if (lacks === undefined && not_observable === undefined)
        throw new CinchError(
          'step_refused',
          `all that ${id} asks for is measured`,
          `see cinch check --requirement ${id} for what shows it`,
        )
      const attestation = {
        ...{ requirement: id, owner: saidText(owner, 'who answers for it'), ...byOf(by), at: at() },
        until: endOf(until, at(), ATTESTED_DAYS_MAX),
      }
      await sayAttestation(store.jobs, attestation, false, now() * 1_000)
      return attestation
    },
    withdraw: async (asked, by) => {
      const id = knownId(asked).toUpperCase()
      const given = (await readAttestations(store.jobs)).find(({ requirement }) => requirement.toUpperCase() === id)
      if (!given) throw new CinchError('not_found', `nobody answers for '${asked}'`, 'see cinch check attest')
      await sayAttestation(store.jobs, { ...given, ...byOf(by), at: at() }, true, now() * 1_000)
    },
  }
}

/** Of an empty id all requirements would be meant. */
function knownId(id: string): string {
  if (id.trim() !== '') return id
  throw new CinchError('not_found', 'no requirement is given', 'see cinch check for their ids')
}
