import { satisfying } from '../../services/model/step-up.ts'
import { digest, kubernetesName } from '../grants/names.ts'
import { yamlOf } from '../grants/yaml.ts'
import { istioPath, istioText } from '../targets/istio/paths.ts'
import { metadataOf } from '../targets/istio/resources.ts'
import type { Loss, PolicyFile } from '../targets/target.ts'
import { nameOf } from './entries.ts'
import type { PlannedTrigger } from './plan.ts'
import { EXT_AUTHZ, STEP_UP_REGO } from './rego.ts'

/**
 * The triggers as policies, with what they cannot say. Istio: a DENY for each callee that refuses users (403) who lack the level; it comes
 * before any ALLOW, and requests without a token pass it. OPA: a challenge (401) that tells the client how to come again.
 */
export function renderStepUp(planned: readonly PlannedTrigger[]): { files: PolicyFile[]; loss: Loss[] } {
  const loss: Loss[] = []
  const callees = Map.groupBy(planned, ({ entry: { callee, id } }) =>
    callee ? JSON.stringify([callee.cluster, callee.namespace, callee.selector]) : id,
  )
  const clustered = new Set(planned.map(({ entry }) => entry.callee?.cluster ?? '')).size > 1
  const istio = [...callees.values()].flatMap((group) => istioFile(group, clustered, loss))
  const data = [...Map.groupBy(planned, ({ entry }) => entry.id)].map(([id, group]) => [
    id,
    group.flatMap((one) => regoTrigger(one, loss)),
  ])
  return {
    files: [
      ...istio,
      {
        path: 'opa/data.json',
        content: `${JSON.stringify({ cinch: { step_up: Object.fromEntries(data) } }, null, 2)}\n`,
      },
      { path: 'opa/ext-authz.yaml.txt', content: EXT_AUTHZ },
      { path: 'opa/step-up.rego', content: STEP_UP_REGO },
    ],
    loss,
  }
}

function istioFile(group: readonly PlannedTrigger[], clustered: boolean, loss: Loss[]): PolicyFile[] {
  const [first] = group
  const callee = first?.entry.callee
  if (!callee) {
    for (const one of group)
      loss.push(lossOf(one, 'callee', 'refused', 'Istio: nothing that a policy can select is known of the callee'))
    return []
  }
  const rules = group.flatMap((one) => {
    const { method, path, flags, port } = one.entry
    const written = path === '' ? ({ as: 'written', value: '' } as const) : istioPath(path, flags)
    if (written.as === 'refused') {
      loss.push(lossOf(one, written.kind, 'refused', `Istio: ${written.detail}`))
      return []
    }
    // Of a DENY, wider is stricter: others are asked, too.
    if (written.as === 'widened') loss.push(lossOf(one, written.kind, 'widened', `Istio: ${written.detail}`))
    if (one.trigger.max_age_s !== null)
      loss.push(
        lossOf(
          one,
          'max_age',
          'refused',
          'Istio: a claim is compared with texts only; how old a session may be is for OPA to ask',
        ),
      )
    const operation = {
      ...(port === 0 ? {} : { ports: [String(port)] }),
      ...(method === '' ? {} : { methods: [method] }),
      ...(written.value === '' ? {} : { paths: [istioText(written.value)] }),
    }
    return [
      {
        ...(Object.keys(operation).length > 0 ? { to: [{ operation }] } : {}),
        when: [
          // Any verified token: a request principal would ask for a subject, too.
          { key: 'request.auth.claims[iss]', values: ['*'] },
          { key: 'request.auth.claims[acr]', notValues: satisfying(one.trigger.acr) },
        ],
      },
    ]
  })
  if (rules.length === 0) return []
  const name = `${kubernetesName(callee.workload)}-${digest(JSON.stringify([callee.cluster, callee.selector]))}`
  const policy = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(`cinch-step-up-${name}`, callee, clustered || callee.cluster !== ''),
    spec: { selector: { matchLabels: callee.selector }, action: 'DENY', rules },
  }
  return [{ path: `istio/${callee.namespace}.${name}.yaml`, content: yamlOf([policy], []) }]
}

function regoTrigger(one: PlannedTrigger, loss: Loss[]) {
  const { method, path, flags, port } = one.entry
  const written = path === '' ? ({ as: 'written', value: '' } as const) : istioPath(path, flags)
  if (written.as === 'refused') {
    loss.push(lossOf(one, written.kind, 'refused', `OPA: ${written.detail}`))
    return []
  }
  const { acr, max_age_s } = one.trigger
  return [{ port, method, path: written.value, acr_values: satisfying(acr), max_age_s: max_age_s ?? 0 }]
}

function lossOf({ entry, trigger }: PlannedTrigger, kind: string, done: Loss['done'], detail: string): Loss {
  const { method, path, port } = entry
  return {
    kind,
    done,
    detail: `${detail} (${nameOf(entry)})`,
    callee: entry.id,
    caller: '',
    port,
    method,
    path,
    requests: trigger.requests,
  }
}
