import { createHash } from 'node:crypto'
import type { Assessment, CheckResult, RequirementResult } from '../model/check.ts'
import { inMarkdown } from './markdown.ts'

/** The release of OSCAL whose schema the documents keep to. */
const OSCAL_VERSION = '1.2.3'
/** Of properties that are not OSCAL's own. */
const NAMESPACE = 'urn:cinch:oscal'

/**
 * Assessment results as NIST's OSCAL has them: a finding for each requirement, an observation for each check and attestation. What is
 * neither shown nor refuted is `not-satisfied` for another reason than a failure; the property `verdict` says which. Ids stay the same
 * for the same subject, as OSCAL asks. Texts are Markdown there, so what telemetry says is escaped.
 */
export function oscalOf({ window, requirements, checks }: Assessment, at: Date): object {
  const plan = uuidOf('plan')
  const controls = [...new Set(requirements.flatMap(({ sp800_53 }) => sp800_53))].sort()
  return {
    'assessment-results': {
      uuid: uuidOf('results', window.since, window.until),
      metadata: {
        title: 'Requirements of NIST SP 800-207, 800-207A and 800-204, held against telemetry',
        'last-modified': at.toISOString(),
        version: at.toISOString(),
        'oscal-version': OSCAL_VERSION,
      },
      'import-ap': { href: `#${plan}` },
      results: [
        {
          uuid: uuidOf('result', window.since, window.until),
          title: 'Checks of telemetry',
          description: `What telemetry from ${window.since} to ${window.until} shows of ${requirements.length} requirements. What did not come makes none of them satisfied.`,
          start: window.since,
          end: window.until,
          'reviewed-controls': {
            'control-selections': [
              { 'include-controls': controls.map((control) => ({ 'control-id': control.toLowerCase() })) },
            ],
          },
          ...listOf('observations', [
            ...checks.map((check) => observationOf(check, at)),
            ...requirements.flatMap(attestationOf),
          ]),
          findings: requirements.map(findingOf),
        },
      ],
      'back-matter': {
        resources: [
          {
            uuid: plan,
            title: 'Checks of Cinch',
            description:
              'The assessment is the same each time: the checks that Cinch ships with, over the stored telemetry of a window.',
          },
        ],
      },
    },
  }
}

/** Lists of OSCAL have a member, or are not there. */
const listOf = (name: string, members: readonly object[]) => (members.length > 0 ? { [name]: members } : {})

/** A name-based UUID (version 5, RFC 9562), within a namespace of its own. */
function uuidOf(...names: string[]): string {
  const bytes = createHash('sha1')
    .update(JSON.stringify([NAMESPACE, ...names]))
    .digest()
    .subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const prop = (name: string, value: string | number) => ({ name, ns: NAMESPACE, value: String(value) })

function observationOf({ id, title, verdict, why, evidence, tuned, blind, fix }: CheckResult, at: Date): object {
  const { counts, queries, parameters, samples, left_out } = evidence
  const more = left_out > 0 ? [`and ${left_out} more`] : []
  const excused = tuned.map(
    ({ subject, left_out: times, who, why: said }) => `left out: ${subject}, ${times}: ${who}: ${said}`,
  )
  return {
    uuid: uuidOf('check', id),
    title,
    description: inMarkdown(`${why}. It does not see: ${blind}.`),
    props: [
      ...[prop('check', id), prop('verdict', verdict)],
      ...Object.entries(counts).map(([name, value]) => prop(name, value)),
    ],
    methods: ['TEST'],
    collected: at.toISOString(),
    'relevant-evidence': [
      {
        description: inMarkdown(
          `Read of the store: ${queries.join(', ')}, from ${parameters.since} to ${parameters.until}.`,
        ),
        props: queries.map((query) => prop('query', query)),
      },
      ...[...samples, ...more, ...excused].map((sample) => ({ description: inMarkdown(sample) })),
    ],
    ...(verdict === 'met' ? {} : { remarks: `To do: ${inMarkdown(fix)}.` }),
  }
}

function attestationOf({ id, attestation }: RequirementResult): object[] {
  if (!attestation) return []
  const { owner, who, why, at, until, expired } = attestation
  return [
    {
      uuid: uuidOf('attestation', id),
      title: `Attestation of ${id}`,
      description: inMarkdown(`${owner} answers for it until ${until}: ${why} (said by ${who}).`),
      props: [prop('verdict', expired ? 'expired' : 'attested')],
      methods: ['INTERVIEW'],
      collected: at,
      expires: until,
    },
  ]
}

const STATUS: Record<RequirementResult['verdict'], { state: string; reason: string }> = {
  met: { state: 'satisfied', reason: 'pass' },
  attested: { state: 'not-satisfied', reason: 'other' },
  not_met: { state: 'not-satisfied', reason: 'fail' },
  not_enough_data: { state: 'not-satisfied', reason: 'other' },
  not_observable: { state: 'not-satisfied', reason: 'other' },
}

function findingOf({
  id,
  document,
  asks,
  verdict,
  why,
  checks,
  sp800_53,
  cisa,
  attestation,
}: RequirementResult): object {
  const observations = [
    ...checks.map((check) => uuidOf('check', check)),
    ...(attestation ? [uuidOf('attestation', id)] : []),
  ]
  return {
    uuid: uuidOf('requirement', id),
    title: `${id}: ${asks}`,
    description: inMarkdown(why),
    props: [
      ...[prop('verdict', verdict), prop('document', document), prop('cisa-maturity-model', cisa)],
      ...sp800_53.map((control) => prop('sp800-53', control.toLowerCase())),
    ],
    target: { type: 'objective-id', 'target-id': id, status: { ...STATUS[verdict] } },
    ...listOf(
      'related-observations',
      observations.map((uuid) => ({ 'observation-uuid': uuid })),
    ),
  }
}
