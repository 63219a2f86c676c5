import type { Declaration } from '../services/model/declaration.ts'
import type { Permission } from '../services/model/permission.ts'
import { PolicyError } from './errors.ts'
import type { Assumed, Proposal, Skipped } from './propose.ts'
import type { Loss, PolicyCase, PolicyFile, Rendered } from './targets/target.ts'

export const REPORT_FILE = 'report.json'
export const TESTS_FILE = 'tests.json'

/** What stands beside the rendered policies: every permission with its evidence, and everything that was left out. */
export interface Report {
  target: string
  window: { since: string; until: string }
  permissions: Permission[]
  skipped: Skipped[]
  assumed: Assumed
  /** Declarations that have expired, and are not granted. */
  expired: Declaration[]
  loss: Loss[]
}

export function reportOf(
  target: string,
  window: Report['window'],
  proposal: Proposal,
  rendered: Pick<Rendered, 'loss'>,
): Report {
  const { permissions, skipped, assumed, expired } = proposal
  return { target, window, permissions, skipped, assumed, expired, loss: rendered.loss }
}

export function reportFile(report: Report): PolicyFile {
  return { path: REPORT_FILE, content: `${JSON.stringify(report, null, 2)}\n` }
}

/** The cases as data, so that replay and a real enforcement point run the same ones. */
export function testsFile(cases: readonly PolicyCase[]): PolicyFile {
  return { path: TESTS_FILE, content: `${JSON.stringify({ cases }, null, 2)}\n` }
}

/**
 * The naming rules and data planes that generated policies rest on, from the `report.json` among their files; nothing when there is
 * none, as with policies that people wrote.
 *
 * @throws PolicyError `bad_policy`
 */
export function readAssumed(files: readonly PolicyFile[]): Pick<Assumed, 'principal' | 'selector' | 'ambient'> {
  const { principal, selector, ambient } = readReport(files)?.assumed ?? {}
  return {
    ...(typeof principal === 'string' ? { principal } : {}),
    ...(typeof selector === 'string' ? { selector } : {}),
    ...(Array.isArray(ambient) && ambient.every((name) => typeof name === 'string') ? { ambient } : {}),
  }
}

/**
 * The report among a directory's files, null when there is none.
 *
 * @throws PolicyError `bad_policy` when it is not what `cinch policies generate` writes
 */
export function readReport(files: readonly PolicyFile[]): Report | null {
  const file = files.find(({ path }) => path === REPORT_FILE || path.endsWith(`/${REPORT_FILE}`))
  if (!file) return null
  const report = parseJson(file)
  if (!isReport(report)) {
    throw new PolicyError('bad_policy', 'has no permissions or no "assumed"; generate the policies again', file.path)
  }
  return report
}

function parseJson(file: PolicyFile): unknown {
  try {
    return JSON.parse(file.content)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PolicyError('bad_policy', `is no JSON (${why}); generate the policies again`, file.path)
  }
}

function isReport(value: unknown): value is Report {
  if (typeof value !== 'object' || value === null) return false
  const { permissions, assumed }: Partial<Record<'permissions' | 'assumed', unknown>> = value
  return Array.isArray(permissions) && typeof assumed === 'object' && assumed !== null
}
