import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { engineBinary } from '../../lab/engines/setup.ts'
import { required } from '../../requirements.ts'

const program = engineBinary('schema')
const GOLDEN = fileURLToPath(new URL('../golden', import.meta.url))

/** What the API server's validation finds wrong with each object, by the definitions that its project publishes. */
function problemsOf(objects: readonly unknown[]): string[][] {
  const done = spawnSync(program ?? '', { input: JSON.stringify(objects), encoding: 'utf8', maxBuffer: 1 << 28 })
  if (done.status !== 0) throw new Error(done.stderr)
  return JSON.parse(done.stdout) as string[][]
}

interface Document {
  apiVersion: string
  kind: string
  metadata: { name: string }
  spec?: Record<string, unknown>
}

/** All that is rendered for the shared cases, but for Kubernetes' own kinds, which have no definitions. */
function rendered(target: string): Document[] {
  return readdirSync(`${GOLDEN}/${target}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .flatMap((entry) => parseAllDocuments(readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8')))
    .map((one) => one.toJS() as Document)
    .filter(({ apiVersion }) => apiVersion !== 'v1' && apiVersion !== 'networking.k8s.io/v1')
}

describe.skipIf(!program && !required('CINCH_REQUIRE_ENGINES'))('schemas of the targets', () => {
  it.each([
    [
      'istio',
      ['AuthorizationPolicy', 'Gateway', 'PeerAuthentication', 'RequestAuthentication', 'ServiceEntry', 'Sidecar'],
    ],
    ['kubernetes', ['ClusterNetworkPolicy']],
  ])('take all that is rendered for %s', (target, kinds) => {
    const documents = rendered(target)
    expect([...new Set(documents.map(({ kind }) => kind))].sort()).toEqual(kinds)
    const wrong = problemsOf(documents).flatMap((problems, at) =>
      problems.map((problem) => `${documents[at]?.kind} ${documents[at]?.metadata.name}: ${problem}`),
    )
    expect(wrong).toEqual([])
  })

  it('find what is wrong', () => {
    const policy = (spec: unknown) => ({
      ...{ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name: 'a', namespace: 'b' } },
      spec,
    })
    const cluster = (spec: Record<string, unknown>) => ({
      ...{ apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy', metadata: { name: 'a' } },
      spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...spec },
    })
    const service = { kind: 'Service', name: 'a' }
    const rule = { action: 'Deny', from: [{ namespaces: {} }] }
    const found = problemsOf([
      policy({ rules: [{ to: [{ operation: { method: ['GET'] } }] }] }),
      policy({ action: 'allow' }),
      policy({ selector: { matchLabels: {} }, targetRefs: [service] }),
      policy({ targetRefs: Array(17).fill(service) }),
      cluster({ ingress: Array(26).fill(rule) }),
      cluster({ priority: 1001 }),
      cluster({ ingress: [{ ...rule, action: 'Allow' }] }),
      cluster({ ingress: [rule], egress: [] }),
    ])
    expect(found.map((problems) => problems.length > 0)).toEqual([true, true, true, true, true, true, true, false])
  })
})
