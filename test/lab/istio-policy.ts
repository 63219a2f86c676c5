import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { parseAllDocuments } from 'yaml'

/** Istio refuses a list that is there and empty. */
const Strings = Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }))
const Closed = { additionalProperties: false }
const Labels = Type.Record(Type.String(), Type.String())

const Source = Type.Object(
  {
    principals: Strings,
    notPrincipals: Strings,
    namespaces: Strings,
    notNamespaces: Strings,
    serviceAccounts: Strings,
    notServiceAccounts: Strings,
  },
  Closed,
)
const Operation = Type.Object(
  {
    hosts: Strings,
    notHosts: Strings,
    methods: Strings,
    notMethods: Strings,
    paths: Strings,
    notPaths: Strings,
    ports: Strings,
    notPorts: Strings,
  },
  Closed,
)
const Condition = Type.Object(
  { key: Type.String({ pattern: '^request\\.auth\\.claims\\[\\w+\\]$' }), values: Strings, notValues: Strings },
  Closed,
)
const Rule = Type.Object(
  {
    from: Type.Optional(Type.Array(Type.Object({ source: Source }, Closed), { minItems: 1 })),
    to: Type.Optional(Type.Array(Type.Object({ operation: Operation }, Closed), { minItems: 1 })),
    when: Type.Optional(Type.Array(Condition)),
  },
  Closed,
)
const Policy = Type.Object({
  apiVersion: Type.Union([Type.Literal('security.istio.io/v1'), Type.Literal('security.istio.io/v1beta1')]),
  kind: Type.Literal('AuthorizationPolicy'),
  metadata: Type.Object({
    name: Type.String({ minLength: 1 }),
    namespace: Type.String({ minLength: 1 }),
    annotations: Type.Optional(Labels),
  }),
  spec: Type.Optional(
    Type.Object(
      {
        selector: Type.Optional(Type.Object({ matchLabels: Type.Optional(Labels) }, Closed)),
        action: Type.Optional(Type.Union([Type.Literal('ALLOW'), Type.Literal('DENY')])),
        rules: Type.Optional(Type.Array(Rule)),
      },
      Closed,
    ),
  ),
})

export type IstioSource = Static<typeof Source>
export type IstioOperation = Static<typeof Operation>
export type IstioCondition = Static<typeof Condition>
export type IstioRule = Static<typeof Rule>
export type IstioPolicy = Static<typeof Policy>

/**
 * The AuthorizationPolicies of a YAML text (one or many documents), checked against what the lab can put into Envoy.
 * A strict PeerAuthentication is passed over: the lab's callee is always strict. So is a RequestAuthentication: whoever has
 * conditions on claims puts the filter that verifies tokens before these. And so is what a caller's proxy knows of hosts (ServiceEntry,
 * Sidecar): it decides nothing at the callee, where the lab's filters stand.
 * @throws Error naming document and field: what the lab would have to ignore it refuses, since an oracle that ignores
 * half of a policy decides something else than the cluster would
 */
export function parsePolicies(yaml: string): IstioPolicy[] {
  return parseAllDocuments(yaml).flatMap((document, index) => {
    const [problem] = document.errors
    if (problem) throw new Error(`document ${index + 1} is not YAML: ${problem.message}`)
    const value: unknown = document.toJS()
    if (value === null || isStrictPeerAuthentication(value) || isRequestAuthentication(value) || isOfCallers(value))
      return []
    if (Value.Check(Policy, value)) {
      checkPaths(value)
      return [value]
    }
    const details = [...Value.Errors(Policy, value)].map(
      (error) => `${error.instancePath || '/'} ${error.message}${unknownFields(error.params)}`,
    )
    throw new Error(`document ${index + 1} is no AuthorizationPolicy that the lab can enforce: ${details.join('; ')}`)
  })
}

function unknownFields(params: object): string {
  return 'additionalProperties' in params ? ` (${String(params.additionalProperties)})` : ''
}

function isOfCallers(value: unknown): boolean {
  const ofCallers = Type.Object({
    apiVersion: Type.Literal('networking.istio.io/v1'),
    kind: Type.Union([Type.Literal('ServiceEntry'), Type.Literal('Sidecar')]),
  })
  return Value.Check(ofCallers, value)
}

function isRequestAuthentication(value: unknown): boolean {
  return Value.Check(Type.Object({ kind: Type.Literal('RequestAuthentication') }), value)
}

function isStrictPeerAuthentication(value: unknown): boolean {
  const Strict = Type.Object({
    kind: Type.Literal('PeerAuthentication'),
    spec: Type.Object({
      mtls: Type.Object({ mode: Type.Literal('STRICT') }),
      portLevelMtls: Type.Optional(Type.Never()),
    }),
  })
  return Value.Check(Strict, value)
}

/** True when Istio takes `path` as a template (pkg/config/security); all else is exact, prefix, suffix or presence. */
export function isPathTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}')
}

const LITERAL_SEGMENT = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/** Istio's own validation of templates: an operator fills its segment, nothing but literals after `{**}`. */
function checkPaths(policy: IstioPolicy): void {
  const operations = (policy.spec?.rules ?? []).flatMap((rule) => rule.to ?? []).map(({ operation }) => operation)
  const paths = operations.flatMap((operation) => [...(operation.paths ?? []), ...(operation.notPaths ?? [])])
  for (const path of paths.filter(isPathTemplate)) {
    const segments = path.replace(/^\/+|\/+$/g, '').split('/')
    const last = segments.indexOf('{**}')
    const wrong = segments.find((segment, index) => {
      if (segment === '{*}' || segment === '{**}') return last >= 0 && index > last
      return !LITERAL_SEGMENT.test(segment)
    })
    if (wrong !== undefined) throw new Error(`Istio refuses the path ${path}: segment ${JSON.stringify(wrong)}`)
  }
}
