import { expect, it } from 'vitest'
import { deliveryOf } from '../../../policy-gen/lifecycle/deliver.ts'
import { propose } from '../../../policy-gen/propose.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { DraftContent, DraftLife } from '../../../services/model/lifecycle.ts'
import { inventoryOf, operation, WINDOW } from '../support.ts'

const target = targetById('envoy-rbac')
/** A draft that allows one path. */
function draft(path: string, state: DraftLife['state'], wanted: DraftLife['wanted'], to = 'shop/orders') {
  const operations = [operation({ path, to })]
  const { permissions } = propose(operations, inventoryOf(operations), {})
  const id = { target: target.id, callee: to, digest: path }
  const content: DraftContent = { ...id, window: WINDOW, permissions }
  const predicted = { window: WINDOW, requests: 1, newly_denied: 0, denied_operations: 0 }
  const by = { at: '2026-01-15T00:00:00.000Z', who: 'a', why: 'b' }
  const life: DraftLife = {
    ...{ ...id, ...by, state, wanted, predicted },
    ...{ stale: false, owners: [], approvals: [], replaces: '' },
  }
  return { life, content }
}
const delivered = (...drafts: ReturnType<typeof draft>[]) =>
  deliveryOf(drafts, target).map(({ path, content }) => `${path} ${/exact: (\/\w+)/.exec(content)?.[1]}`)

it('what is to be enforced takes the place of what is, and nothing else does', () => {
  const [old, other] = [draft('/old', 'enforced', ''), draft('/other', 'enforced', '', 'shop/stock')]
  const stock = '2-enforce/shop.stock.yaml /other'
  expect(delivered(old, other, draft('/new', 'approved', ''))).toEqual(['2-enforce/shop.orders.yaml /old', stock])
  expect(delivered(old, other, draft('/new', 'approved', 'dry_run'))).toEqual([
    '1-shadow/shop.orders.yaml /new',
    '2-enforce/shop.orders.yaml /old',
    stock,
  ])
  expect(delivered(old, other, draft('/new', 'dry_run', 'enforced'))).toEqual([
    '2-enforce/shop.orders.yaml /new',
    stock,
  ])
  // Rolled back: the later one leaves, the earlier one comes again.
  expect(delivered(draft('/old', 'approved', 'enforced'), draft('/new', 'enforced', 'withdrawn'))).toEqual([
    '2-enforce/shop.orders.yaml /old',
  ])
})
