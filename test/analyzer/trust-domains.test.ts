import { expect, test } from 'vitest'
import { createParties } from '../../services/analyzer/graph/parties.ts'
import { EMPTY_INVENTORY } from '../../services/model/inventory.ts'
import { calleeSees, NOTHING } from './rows.ts'

const under = (domain: string, account: string) => `${domain}/ns/shop/sa/${account}`
const rows = ['td1', 'td2'].map((domain) =>
  calleeSees({ source_principal: under(domain, 'web'), destination_principal: under(domain, 'orders') }),
)
const mesh = { ...EMPTY_INVENTORY, trustDomains: [{ cluster: '', names: ['td2', 'td1'] }] }

test('a workload is one under all trust domains of its mesh, without any other word of it', () => {
  const parties = createParties(rows, mesh)
  expect(rows.map((row) => parties.source(row)?.id)).toEqual(Array(2).fill(`spiffe://${under('td2', 'web')}`))
  const plain = createParties(rows, EMPTY_INVENTORY)
  expect(rows.map((row) => plain.source(row)?.id)).toEqual(['td1', 'td2'].map((td) => `spiffe://${under(td, 'web')}`))
})

test('a callee that tells its service under one of them is found under another', () => {
  const told = [calleeSees({ destination_principal: under('td2', 'orders') })]
  const flow = { ...NOTHING, reporter: 'flow' as const, destination_principal: under('td1', 'orders') }
  expect(createParties(told, mesh).destination(flow).id).toBe('shop/orders')
  expect(createParties(told, EMPTY_INVENTORY).destination(flow).id).toBe(`spiffe://${under('td1', 'orders')}`)
})
