import type { DeployedRule } from '../../../services/model/diff.ts'
import { PolicyError } from '../../errors.ts'
import type { Segment } from '../../observed-path.ts'
import type { CalleesOf } from '../callees.ts'
import { type DeployedRules, type Described, openOf, RULES_MAX } from '../deployed.ts'
import { isExternal } from '../external.ts'
import { isRecord } from '../fields.ts'
import { canBe, exactPath, type KnownPath } from '../paths.ts'
import type { ReplayRequest } from '../request.ts'
import { every, some, type Tri } from '../tri.ts'
import { ofUsers } from '../users.ts'
import { isTemplate, type RegoDocuments } from './documents.ts'

/** One caller's method and path of a grant in `data.json`, with what it asks beside them. */
interface Part extends Described {
  callee: string
  caller: string
  ports: unknown[] | null
  notPaths: string[]
  claims: [name: string, values: string[]][]
}

/**
 * Takes the grants in `data.json` apart, as the policy that stands beside them reads them: every method and path alone. Of Rego that
 * people wrote it cannot be told which of its rules allows what.
 *
 * @throws PolicyError `bad_policy` where the lists multiply beyond all reading
 */
export function deployedRules({ files, generated, grants }: RegoDocuments, callees: CalleesOf): DeployedRules {
  if (!generated) {
    const reason =
      'Rego that Cinch did not write: what is missing is told by OPA’s whole decision; which rule allows what, and is used, is not'
    const modules = files.filter(({ path }) => path.endsWith('.rego'))
    return {
      rules: [],
      says: [],
      unread: modules.map(({ path: file }) => ({ file, rule: '', reason })),
      usedBy: () => [],
    }
  }
  const file = files.find(({ path }) => path.endsWith('.json'))?.path ?? ''
  const parts: Part[] = []
  for (const [callee, caller, grant] of grants) {
    parts.push(...partsOf(callee, caller, grant, file))
    if (parts.length > RULES_MAX)
      throw new PolicyError('bad_policy', `allows more than ${RULES_MAX} combinations; split its lists`, file)
  }
  const byCallee = Map.groupBy(parts, ({ callee }) => callee)
  return {
    rules: parts.map(({ deployed }) => deployed),
    says: ['method', 'path'],
    isOpen: openOf(parts),
    usedBy: ({ destination }, request) => {
      if (isExternal(destination)) return []
      const near = callees(destination).flatMap((id) => byCallee.get(id) ?? [])
      return near.filter((part) => mayUse(part, request)).map(({ deployed }) => deployed)
    },
  }
}

function partsOf(callee: string, caller: string, grant: Record<string, unknown>, file: string): Part[] {
  const texts = (name: string) => (Object.hasOwn(grant, name) ? listOf(grant[name]) : null)
  const ports = Object.hasOwn(grant, 'ports') ? (Array.isArray(grant['ports']) ? grant['ports'] : []) : null
  const claims = isRecord(grant['claims'])
    ? Object.entries(grant['claims']).map(([name, values]): [string, string[]] => [name, listOf(values)])
    : []
  const conditions = [
    ...(ports && ports.length > 1 ? [`ports: ${ports.join(', ')}`] : []),
    ...(texts('not_paths') ?? []).map((path) => `not ${path}`),
    ...claims.map(([name, values]) => `claim ${name}: ${values.join(', ')}`),
  ]
  return (texts('methods') ?? [null]).flatMap((method) =>
    (texts('paths') ?? [null]).map((path): Part => {
      const port = ports?.length === 1 ? Number(ports[0]) : 0
      const deployed: DeployedRule = {
        ...{ file, rule: `${callee}: ${caller}`, scope: callee, source: caller, port },
        ...{ method: method ?? '', path: path ?? '', conditions },
      }
      const open = [...(method === null ? ['method' as const] : []), ...(path === null ? ['path' as const] : [])]
      return { deployed, open, callee, caller, ports, notPaths: texts('not_paths') ?? [], claims }
    }),
  )
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function mayUse({ deployed, open, caller, ports, notPaths, claims }: Part, request: ReplayRequest): boolean {
  const { method, path } = deployed
  const known = request.caller
  if (known.is === 'none' || (known.is === 'known' && known.principal !== caller)) return false
  if (ports && request.port !== 0 && !ports.includes(request.port)) return false
  if (!open.includes('method') && (request.http === 'no' || (request.method !== '' && request.method !== method)))
    return false
  if (!open.includes('path')) {
    if (request.http === 'no') return false
    if (request.path.known) {
      const { path: own } = request
      if (matches(path, own) === 'no') return false
      if (isTemplate(path) && some(notPaths, (other) => matches(other, own)) === 'yes') return false
    }
  }
  return every(claims, ([name, values]) => hasClaim(name, values, request)) !== 'no'
}

function hasClaim(name: string, values: readonly string[], request: ReplayRequest): Tri {
  return ofUsers((user) => {
    if (!user) return 'no'
    const own = name === 'iss' ? [user.issuer] : name === 'acr' ? user.acr : name === 'groups' ? user.groups : null
    if (own === null) return 'unknown'
    const found = [own].flat().some((value) => values.includes(value))
    return found ? 'yes' : name === 'groups' && user.moreGroups ? 'unknown' : 'no'
  })(request)
}

/** Whether a path is one of a grant's: as it is, or by its segments, of which the last may stand for all that follows. */
function matches(pattern: string, path: KnownPath): Tri {
  if (!isTemplate(pattern)) return exactPath(pattern)(path)
  const tail = pattern.endsWith('/{**}')
  const parts = (tail ? pattern.slice(0, -'/{**}'.length) : pattern).slice(1).split('/')
  const { segments } = path
  const open = segments.at(-1)?.kind === 'tail'
  const head = tail && pattern === '/{**}' ? [] : parts
  if (open) return segments.length - 1 > head.length && !tail ? 'no' : 'unknown'
  if (tail ? segments.length <= head.length : segments.length !== head.length) return 'no'
  return every(head.keys(), (at) => segmentFits(head[at] ?? '', segments[at]))
}

function segmentFits(part: string, segment: Segment | undefined): Tri {
  const [before = '', after] = part.split('{*}')
  if (after === undefined) return canBe(segment, part)
  if (segment?.kind !== 'literal') return before === '' && after === '' ? 'yes' : 'unknown'
  const { text } = segment
  const fits = text.startsWith(before) && text.endsWith(after) && text.length > before.length + after.length
  return fits ? 'yes' : 'no'
}
