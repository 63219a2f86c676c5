import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readInventory } from '../../services/store/queries/inventory.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('objects')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'kubernetes-objects'

const SHOP = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: shop, labels: {team: trade}}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders, version: v1}}
    spec:
      serviceAccountName: orders
      initContainers: [{name: init, image: i}]
      containers:
        - {name: app, image: o, ports: [{name: http, containerPort: 8080}, {name: admin, containerPort: 9090}]}
        - {name: helper, image: h, ports: [{name: metrics, containerPort: 9100, protocol: TCP}]}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec:
  selector: {app: orders}
  ports:
    - {name: http, port: 80, targetPort: http}
    - {name: admin, port: 81, targetPort: 9090}
    - {name: same, port: 9100}
    - {name: nobody, port: 82, targetPort: nothing-called-so}
    - {name: text, port: 83, targetPort: "8083"}
---
# A document of comments alone is none.
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop, annotations: {owner: ops@example.com}}
spec:
  schedule: "0 2 * * *"
  jobTemplate: {spec: {template: {metadata: {labels: {job: nightly}}, spec: {serviceAccountName: reports, containers: [{name: c, image: i}]}}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: orders-7d9c5b8f6-x2x4z
  namespace: shop
  labels: {app: orders}
  ownerReferences: [{kind: ReplicaSet, name: orders-7d9c5b8f6, uid: u, apiVersion: apps/v1}]
spec: {serviceAccountName: orders, containers: []}
---
apiVersion: v1
kind: Pod
metadata: {name: lonely, labels: {run: lonely}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: orders-7d9c5b8f6, namespace: shop, ownerReferences: [{kind: Deployment, name: orders, uid: u, apiVersion: apps/v1}]}
spec: {template: {metadata: {labels: {app: orders}}, spec: {}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec: {template: {metadata: {labels: {app: db}}, spec: {serviceAccount: legacy-name, containers: []}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: orders, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: data}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432, protocol: TCP}]}
---
apiVersion: v1
kind: Service
metadata: {name: no-selector, namespace: data}
spec: {type: ExternalName, externalName: example.com}
`

const WORKLOADS = [
  {
    cluster: 'east',
    namespace: 'data',
    name: 'db',
    kind: 'StatefulSet',
    serviceAccount: 'legacy-name',
    labels: { app: 'db' },
    owner: '',
  },
  {
    cluster: 'east',
    namespace: 'default',
    name: 'lonely',
    kind: 'Pod',
    serviceAccount: 'default',
    labels: { run: 'lonely' },
    owner: '',
  },
  {
    cluster: 'east',
    namespace: 'shop',
    name: 'nightly',
    kind: 'CronJob',
    serviceAccount: 'reports',
    labels: { job: 'nightly' },
    owner: 'ops@example.com',
  },
  {
    cluster: 'east',
    namespace: 'shop',
    name: 'orders',
    kind: 'Deployment',
    serviceAccount: 'orders',
    labels: { app: 'orders', version: 'v1' },
    owner: 'trade',
  },
]
const tcp = (name: string, servicePort: number, workloadPort: number) => ({
  name,
  servicePort,
  workloadPort,
  protocol: 'TCP',
})
const SERVICES = [
  { cluster: 'east', namespace: 'data', name: 'headless', selector: { app: 'db' }, ports: [tcp('', 5432, 5432)] },
  { cluster: 'east', namespace: 'data', name: 'no-selector', selector: {}, ports: [] },
  {
    cluster: 'east',
    namespace: 'shop',
    name: 'orders',
    selector: { app: 'orders' },
    ports: [
      tcp('http', 80, 8080),
      tcp('admin', 81, 9090),
      tcp('same', 9100, 9100),
      tcp('nobody', 82, 0),
      tcp('text', 83, 8083),
    ],
  },
]

async function inventory(cluster: string) {
  const { workloads, services } = await readInventory(store.store.reads)
  return {
    workloads: workloads.filter((one) => one.cluster === cluster),
    services: services.filter((one) => one.cluster === cluster),
  }
}

/** Nothing states how sensitive they are, nor whose. */
const STORED = WORKLOADS.map((workload) => ({ ...workload, sensitivity: '', category: '' }))

test('sensitivity and category are what labels state, else annotations', async () => {
  const metadata = `{name: vault, namespace: shop, labels: {data-classification: secret}, annotations: {sensitivity: public, category: enterprise-owned, data-classification: low}}`
  const object = `apiVersion: apps/v1\nkind: Deployment\nmetadata: ${metadata}\nspec: {template: {metadata: {labels: {app: vault}}, spec: {containers: []}}}`
  await store.file(SOURCE, object, 'stated')
  expect((await inventory('stated')).workloads).toMatchObject([{ sensitivity: 'public', category: 'enterprise-owned' }])
  await store.file(SOURCE, object.replace('labels: {data', 'labels: {sensitivity: high, data'), 'stated')
  expect((await inventory('stated')).workloads).toMatchObject([{ sensitivity: 'high' }])
})

test('what is declared goes into the store and comes back', async () => {
  expect(await store.file(SOURCE, SHOP, 'east')).toMatchObject({ accepted: 7, rejected: 0 })
  expect(await inventory('east')).toEqual({ workloads: STORED, services: SERVICES })
})

test('declared again it is the same; another cluster is separate; a later word wins', async () => {
  await store.file(SOURCE, SHOP, 'east')
  expect(await inventory('east')).toEqual({ workloads: STORED, services: SERVICES })
  await store.file(SOURCE, SHOP, 'west')
  await store.file(SOURCE, SHOP.replace('{app: orders, version: v1}', '{app: orders, version: v2}'), 'west')
  expect((await inventory('west')).workloads.at(-1)).toMatchObject({
    name: 'orders',
    labels: { app: 'orders', version: 'v2' },
  })
  expect((await inventory('east')).workloads.at(-1)).toMatchObject({ labels: { version: 'v1' } })
})

test('the same objects as JSON, as a List of kubectl, and as a typed list', async () => {
  const { parseAllDocuments } = await import('yaml')
  const documents = parseAllDocuments(SHOP) as unknown as { toJS(): { kind?: string } | null }[]
  const items = documents.map((document) => document.toJS()).filter((item) => item !== null)
  await store.file(SOURCE, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'list')
  const deployments = items.filter((item) => item.kind === 'Deployment')
  const others = items.filter((item) => item.kind !== 'Deployment')
  // A named port is found by the Pods beside it: both lists come in one file.
  await store.file(
    SOURCE,
    `${JSON.stringify({ kind: 'DeploymentList', items: deployments })}\n---\n${JSON.stringify({ kind: 'List', items: others }, null, 2)}`,
    'typed',
  )
  const east = await inventory('east')
  for (const cluster of ['list', 'typed']) {
    const moved = JSON.parse(JSON.stringify(east).replaceAll('"cluster":"east"', `"cluster":"${cluster}"`))
    expect(await inventory(cluster)).toEqual(moved)
  }
})

describe('what is no such file', () => {
  test.each([
    ['broken YAML', 'kind: Service\nmetadata: {name: a\n', 'neither YAML nor JSON'],
    ['a bad indentation', 'kind: Service\n  spec:\n - a', 'neither YAML nor JSON'],
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((name, n) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[n]}`).join(',')}]`)
        .join('\n')}\n`,
      'neither YAML nor JSON',
    ],
    ['a duplicate key', 'kind: Service\nkind: Pod\n', 'neither YAML nor JSON'],
  ])('%s: a clear error with what to do', async (name, text, message) => {
    await expect(store.file(SOURCE, text, name)).rejects.toMatchObject({
      code: 'bad_objects',
      message: expect.stringContaining(message),
      next: expect.stringContaining('kubectl get'),
    })
    expect(await inventory(name)).toEqual({ workloads: [], services: [] })
  })

  test('objects without a name are counted as unreadable; other kinds and shapes are passed over', async () => {
    const text = [
      'kind: Deployment\nspec: {template: {spec: {}}}',
      'kind: Service\nmetadata: 7',
      'kind: ConfigMap\nmetadata: {name: c}',
      'just text',
      '[1, 2]',
      'null',
      'kind: List\nitems: 5',
      'kind: Pod\nmetadata: {name: p, labels: [a]}\nspec: {containers: {a: 1}}',
    ].join('\n---\n')
    expect(await store.file(SOURCE, text, 'odd')).toMatchObject({ accepted: 1, rejected: 2 })
    expect((await inventory('odd')).workloads).toMatchObject([{ name: 'p', labels: {}, serviceAccount: 'default' }])
  })

  test('nothing at all is nothing', async () => {
    expect(await store.file(SOURCE, '', 'none')).toMatchObject({ accepted: 0, rejected: 0 })
    expect(await store.file(SOURCE, '---\n', 'none')).toMatchObject({ accepted: 0, rejected: 0 })
  })
})
