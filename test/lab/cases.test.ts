import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Inventory } from '../../services/model/inventory.ts'
import { CALLEE, CALLERS } from './lab.ts'
import { observationOf, verdicts } from './verdicts.ts'

/*
 * Replay's half of the cases that `lab.test.ts` puts to Envoy. Requests are as they were sent, not as a proxy logs them.
 */
const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')

type Case = [account: string, method: string, path: string, port: number, decision: 'allow' | 'deny', why: string]
const cases = JSON.parse(fixture('cases.json')) as Case[]

const { namespace, service, labels } = CALLEE
const ports = [
  { servicePort: 80, workloadPort: 8080 },
  { servicePort: 9000, workloadPort: 9090 },
]
const callee = { ...CALLEE, ports, podAddress: '', applicationAddress: '' }
const about = { cluster: '', namespace, kind: 'Deployment', serviceAccount: service, owner: '' }
const inventory: Inventory = { workloads: [{ ...about, name: service, labels }], services: [] }

test.each(cases)('replay: %s %s %s on %i: %s (%s)', (account, method, path, port, decision) => {
  const caller = CALLERS.find((principal) => principal.endsWith(`/sa/${account}`)) ?? ''
  const servicePort = port === 8080 ? 80 : 9000
  const sent = observationOf({ caller, method, path, servicePort }, callee, true)
  const [said] = verdicts(fixture('orders.yaml'), [sent], inventory)
  expect(said).toBe(decision === 'allow' ? 'allowed' : 'denied')
})
